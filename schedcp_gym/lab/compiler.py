"""Policies from source to object, on the host, with clang."""

import functools
import hashlib
import logging
import os
import pwd
import re
import shutil
import subprocess
import tempfile
from dataclasses import dataclass
from pathlib import Path

from schedcp_gym.machine.image import Image
from schedcp_gym.machine.image.inputs import folder_digest
from schedcp_gym.paths import POLICIES, cache_root
from schedcp_gym.spec import MissingTool, SchedcpError
from schedcp_gym.spec.digest import digest

log = logging.getLogger(__name__)

OLDEST_CLANG = 16
#: 19 first: it is the one Debian 12, 13 and Ubuntu 24.04 all have, and objects differ between versions.
CLANGS = ("clang-19", "clang", "clang-22", "clang-21", "clang-20", "clang-18", "clang-17", "clang-16")
COMPILE_LIMIT_S = 30
SOURCE_LIMIT = 1 << 20
LOG_LIMIT = 8000
FLAGS = (
    *("-g", "-O2", "-target", "bpf", "-mcpu=v3", "-fms-extensions", "-D__TARGET_ARCH_x86"),
    *(
        "-Wall",
        "-Werror",
        "-Wno-microsoft-anon-tag",
        "-fno-caret-diagnostics",
        "-fno-crash-diagnostics",
        "-ferror-limit=10",
    ),
)


class CompileError(SchedcpError):
    """The source does not compile; the text holds the compiler's own lines."""


@dataclass(frozen=True)
class Clang:
    """The compiler found on this host."""

    path: str
    version: str


@functools.cache
def find_clang() -> Clang:
    """The compiler for policies.

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
    """Compiles a policy against the image's kernel; an object that is in the cache is taken from there.

    Raises:
        CompileError: It does not compile, is too large, or takes too long.
        MissingTool: There is no compiler.
    """
    if len(source) > SOURCE_LIMIT:
        raise CompileError(f"the source has {len(source)} characters; {SOURCE_LIMIT} are allowed")
    clang = find_clang()
    if not shutil.which("prlimit"):
        raise MissingTool("prlimit is not installed: `sudo apt-get install util-linux`")
    headers = _headers_digest()
    key = digest([source, clang.version, image.info["files"]["include/vmlinux.h"]["sha256"], headers, FLAGS])
    cached = cache_root() / "objects" / f"{key[:32]}.o"
    if cached.exists() and (known := _without_checksum(cached)) is not None:
        return known
    compiled = _compile(source, image, clang)
    cached.parent.mkdir(exist_ok=True)
    part = cached.with_name(f"{cached.name}.{os.getpid()}.{os.urandom(4).hex()}")
    part.write_bytes(hashlib.sha256(compiled).digest() + compiled)
    part.rename(cached)
    return compiled


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
    """Compiles in a folder that holds all the compiler needs, with the rights of an ordinary user."""
    with tempfile.TemporaryDirectory(prefix="schedcp-compile-") as folder:
        Path(folder, "policy.bpf.c").write_text(source)
        # Copies, under relative names: the debug information must not depend on where things lie on this host.
        shutil.copytree(POLICIES / "include", Path(folder, "include"))
        shutil.copytree(image.include, Path(folder, "image"))
        command = [
            *("prlimit", f"--cpu={COMPILE_LIMIT_S}", f"--as={4 << 30}", f"--fsize={64 << 20}", "--core=0", "--"),
            *_without_rights(Path(folder)),
            *(clang.path, *FLAGS, "-I", "include", "-I", "image"),
            *("-fdebug-compilation-dir=.", "-c", "policy.bpf.c", "-o", "policy.bpf.o"),
        ]
        try:
            done = subprocess.run(
                command,
                cwd=folder,
                env={"PATH": os.environ.get("PATH", os.defpath), "TMPDIR": folder},
                stdin=subprocess.DEVNULL,
                capture_output=True,
                text=True,
                errors="replace",
                timeout=2 * COMPILE_LIMIT_S,
                check=False,
            )
        except subprocess.TimeoutExpired:
            raise CompileError(f"the source did not compile within {2 * COMPILE_LIMIT_S} s") from None
        if done.returncode:
            raise CompileError(done.stderr.strip()[:LOG_LIMIT] or f"clang ended with status {done.returncode}")
        return Path(folder, "policy.bpf.o").read_bytes()


def _without_rights(folder: Path) -> list[str]:
    """As root, compiles as nobody: a source can include what its compiler can read."""
    if os.geteuid() != 0:
        return []
    nobody = pwd.getpwnam("nobody")
    os.chown(folder, nobody.pw_uid, nobody.pw_gid)
    return ["setpriv", f"--reuid={nobody.pw_uid}", f"--regid={nobody.pw_gid}", "--clear-groups", "--no-new-privs"]
