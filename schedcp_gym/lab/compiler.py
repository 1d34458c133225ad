"""Compile policies on the host, with clang."""

import functools
import hashlib
import logging
import os
import re
import shutil
import subprocess
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from posixpath import normpath

from schedcp_gym.lab import brought, elf, jail, preflight
from schedcp_gym.lab.compile_hints import hints
from schedcp_gym.lab.preflight import Refusal
from schedcp_gym.machine.image import Image
from schedcp_gym.machine.image.inputs import folder_digest
from schedcp_gym.paths import POLICIES, cache_root
from schedcp_gym.spec import MissingTool, SchedcpError
from schedcp_gym.spec.digest import digest

log = logging.getLogger(__name__)

OLDEST_CLANG = 16
#: 19 first: it is the one Debian 12, 13 and Ubuntu 24.04 all have, and objects differ between versions.
CLANGS = ("clang-19", "clang", "clang-22", "clang-21", "clang-20", "clang-18", "clang-17", "clang-16")
SOURCE_LIMIT = 1 << 20
LOG_LIMIT = 8000
#: Bytes of a policy's globals and maps of globals.
GLOBALS_LIMIT = 64 << 20
#: The name of the source in the compiler's folder, and of the folders its headers come from.
SOURCE_NAME = "policy.bpf.c"
HEADER_FOLDERS = ("include", "image")
#: How the source is read: shared with the parser. Headers come from our two folders and nowhere else.
READING = (
    *("-O2", "-target", "bpf", "-mcpu=v3", "-fms-extensions", "-D__TARGET_ARCH_x86", "-Wno-microsoft-anon-tag"),
    *("-nostdinc", *(word for folder in HEADER_FOLDERS for word in ("-I", folder)), "-fdebug-compilation-dir=."),
)
#: LLVM's report of a crash takes long, and holds addresses.
QUIET = {"LLVM_DISABLE_SYMBOLIZATION": "1", "LLVM_DISABLE_CRASH_REPORT": "1"}
#: Warnings are shown, and count for nothing: code in the wild has unused functions.
FLAGS = (
    "-g",
    "-Wall",
    "-Wno-unused-function",
    "-Werror=date-time",
    "-fno-caret-diagnostics",
    "-fno-crash-diagnostics",
    "-ferror-limit=10",
)
#: What a source without our headers gets when it uses names that kernels had before 6.13.
OLD_NAMES_HEADER = "scx/old_names.bpf.h"


class CompileError(SchedcpError):
    """Raised for a source that does not compile; the text holds the compiler's own lines.

    Attributes:
        refusals: What we refuse, whatever the compiler says.
    """

    def __init__(self, text: str, refusals: tuple[Refusal, ...] = ()) -> None:
        super().__init__(text)
        self.refusals = refusals

    @property
    def first(self) -> str:
        """Return the line of the first error."""
        lines = str(self).splitlines()
        return next((line for line in lines if "error:" in line), lines[0])


@dataclass(frozen=True)
class Clang:
    """The compiler found on this host."""

    path: str
    version: str


@functools.cache
def find_clang() -> Clang:
    """Return the compiler for policies.

    Raises:
        MissingTool: There is none that is new enough.
    """
    seen = []
    for name in CLANGS:
        path = shutil.which(name)
        if not path:
            continue
        text = subprocess.run([path, "--version"], capture_output=True, text=True, check=False).stdout
        found = re.search(r"clang version ((\d+)[\w.~+-]*)", text)
        if found and int(found[2]) >= OLDEST_CLANG:
            return Clang(path, found[1])
        seen.append(f"{name}: {text.splitlines()[0] if text else 'no version'}")
    hint = f" (too old: {'; '.join(seen)})" if seen else ""
    raise MissingTool(f"clang {OLDEST_CLANG} or newer is not installed{hint}: `sudo apt-get install clang-19`")


def compile_policy(source: str, image: Image) -> bytes:
    """Compile a policy for the image's kernel, or return its object from the cache.

    Raises:
        CompileError: It does not compile, holds what is refused, or exceeds a limit.
        MissingTool: There is no compiler, or no jail for it.
        JailKilled: Something outside killed the compiler.
    """
    check_text(source)
    cached = cache_root() / "objects" / f"{object_key(source, image)[:32]}.o"
    if cached.exists() and (known := _without_checksum(cached)) is not None:
        return known
    compiled = _compile(source, image, find_clang())
    cached.parent.mkdir(exist_ok=True)
    part = cached.with_name(f"{cached.name}.{os.getpid()}.{os.urandom(4).hex()}")
    part.write_bytes(hashlib.sha256(compiled).digest() + compiled)
    part.rename(cached)
    return compiled


def object_key(source: str, image: Image) -> str:
    """Return the SHA-256 (hex) of all that a policy's object follows from: source, headers, compiler and its flags.

    Raises:
        MissingTool: There is no compiler.
    """
    headers = image.info["files"]["include/vmlinux.h"]["sha256"]
    return digest([source, find_clang().version, headers, _headers_digest(), [*READING, *FLAGS]])


def check_text(source: str) -> None:
    """Check a source before any compiler sees it.

    Raises:
        CompileError: It is too large, is no text, or holds directives that are refused.
    """
    if len(source) > SOURCE_LIMIT:
        raise refused(Refusal(None, f"the source has {len(source)} characters; {SOURCE_LIMIT} are allowed"))
    if found := preflight.refusals(source):
        raise refused(*found)


def refused(*found: Refusal) -> CompileError:
    """Return the error for what is refused, written as the compiler would."""
    places = (f"{SOURCE_NAME}:{refusal.line}" if refusal.line else SOURCE_NAME for refusal in found)
    lines = [f"{place}: error: {refusal.what}" for place, refusal in zip(places, found, strict=True)]
    return CompileError("\n".join(lines)[:LOG_LIMIT], found)


def reading(source: str) -> tuple[tuple[str, ...], dict[str, bytes]]:
    """Return the flags with which a source is read, and the files that the compiler's folder has to hold."""
    flags, files = READING, {SOURCE_NAME: source.encode()}
    if names := brought.brought_names([source]):
        flags += ("-iquote", ".", *brought.renaming(names))
        files[brought.FILE_NAME] = brought.undefine(names).encode()
    if brought.uses_old_names(source):
        flags += ("-include", OLD_NAMES_HEADER)
    return flags, files


def folders(image: Image) -> dict[str, Path]:
    """Return the folders that headers come from, by their names in the jail."""
    return dict(zip(HEADER_FOLDERS, (POLICIES / "include", image.include), strict=True))


def _without_checksum(cached: Path) -> bytes | None:
    content = cached.read_bytes()
    if hashlib.sha256(content[32:]).digest() != content[:32]:
        log.warning("the cached object %s is damaged; compiling again", cached.name)
        return None
    return content[32:]


@functools.cache
def _headers_digest() -> str:
    return folder_digest(POLICIES / "include")


def _compile(source: str, image: Image, clang: Clang) -> bytes:
    """Compile in the jail, under relative names: debug information must not depend on this host's paths."""
    program = Path(clang.path).resolve()
    flags, files = reading(source)
    ended = jail.run(
        [str(program), *flags, *FLAGS, "-H", "-c", SOURCE_NAME, "-o", "-"],
        jail.Contents((program,)),
        folders=folders(image),
        files=files,
        environment=QUIET,
    )
    if ended.exceeded:
        raise refused(Refusal(None, f"compiling was stopped: {ended.exceeded}"))
    if ended.crashed:
        raise refused(Refusal(None, "the compiler crashed on this source"))
    opened, words = _split(ended.words)
    if strangers := _strangers(opened, source):
        raise refused(*strangers)
    if ended.status:
        lines = [
            words.strip()[:LOG_LIMIT] or f"clang ended with status {ended.status}",
            *hints(source, words, image.include),
        ]
        raise CompileError("\n".join(lines))
    if words.strip():
        log.warning("%s", words.strip()[:LOG_LIMIT])
    size = sum(section.size_bytes for section in elf.sections(ended.output) if section.loaded)
    if size > GLOBALS_LIMIT:
        raise refused(Refusal(None, f"code and globals need {size} bytes of memory; {GLOBALS_LIMIT} are allowed"))
    return ended.output


def _split(words: str) -> tuple[list[str], str]:
    """Split clang's output into the files it opened (-H: dots for the depth, the path), and its messages."""
    opened, messages = [], []
    for line in words.splitlines():
        found = re.fullmatch(r"\.+ (.*)", line)
        if found:
            opened.append(found[1])
        else:
            messages.append(line)
    return opened, "\n".join(messages)


def _strangers(opened: list[str], source: str) -> list[Refusal]:
    """Return refusals of the files that were opened outside the folders for headers."""
    found, written = [], preflight.includes(source)
    for path in dict.fromkeys(opened):
        parts = PurePosixPath(path).parts
        if (parts[0] in HEADER_FOLDERS and ".." not in parts) or parts == (brought.FILE_NAME,):
            continue
        line = next((entry.line for entry in written if path.endswith(normpath(entry.name))), None)
        found.append(Refusal(line, f"{path[:200]} is outside the folders for headers: it is refused"))
    return found
