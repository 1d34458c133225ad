"""Parses a policy in the jail: the worker runs there, what it prints is read here."""

import _ctypes
import functools
import json
import re
import sys
import sysconfig
from pathlib import Path

from schedcp_gym.control.verifier.source.model import Program
from schedcp_gym.lab import jail
from schedcp_gym.lab.compiler import QUIET, SOURCE_NAME, Clang, find_clang, folders, reading, refused
from schedcp_gym.lab.preflight import Refusal
from schedcp_gym.machine.image import Image
from schedcp_gym.spec import MissingTool

_WORKER = "worker.py"
#: What the rules go through here, outside of the jail. A policy has some dozens of functions, and makes 100 kB.
_FUNCTIONS, _MODEL_BYTES = 600, 4 << 20
_LIMITS = jail.Limits(output_bytes=32 << 20)


def parse_policy(source: str, image: Image) -> Program:
    """Parse a policy as the compiler would read it.

    Raises:
        CompileError: It exceeds a limit, or the parser dies of it.
        MissingTool: There is no libclang, or no jail to put it in.
    """
    python = Path(sys._base_executable).resolve()  # type: ignore[attr-defined]  # not the environment's link to it
    library = find_libclang(find_clang())
    flags, files = reading(source)
    ended = jail.run(
        [str(python), "-I", "-S", "-B", _WORKER, str(library), SOURCE_NAME, *flags, "-w", "-ferror-limit=10"],
        _contents(python, library),
        folders=folders(image),
        files={**files, _WORKER: Path(__file__).with_name(_WORKER).read_bytes()},
        environment={**QUIET, "LIBCLANG_NOTHREADS": "1", "PYTHONHASHSEED": "0"},
        limits=_LIMITS,
    )
    if ended.exceeded:
        raise refused(Refusal(None, f"parsing was stopped: {ended.exceeded}"))
    if ended.status:
        last = (ended.words.strip().splitlines() or [f"status {ended.status}"])[-1][:200]
        raise refused(Refusal(None, f"the parser gave up on this source: {last}"))
    parsed = json.loads(ended.output)
    if len(parsed["functions"]) > _FUNCTIONS or len(ended.output) > _MODEL_BYTES:
        what = f"the source is too large to be checked: {len(parsed['functions'])} functions, headers' included"
        raise refused(Refusal(None, f"{what}; {_FUNCTIONS} are allowed, and {_MODEL_BYTES} bytes for all of them"))
    return Program.from_json(parsed)


@functools.cache
def find_libclang(clang: Clang) -> Path:
    """Return the parser's library, of the compiler's own version.

    Raises:
        MissingTool: It is not there.
    """
    major = re.match(r"\d+", clang.version)
    version = major[0] if major else ""
    near = Path(clang.path).resolve().parent.parent / "lib"
    places = [near, Path("/usr/lib/x86_64-linux-gnu"), Path("/usr/lib64"), Path("/usr/lib")]
    for name in (f"libclang-{version}.so.1", f"libclang-{version}.so.{version}", f"libclang.so.{version}"):
        for place in places:
            if (place / name).exists():
                return (place / name).resolve()
    raise MissingTool(f"libclang {version} is not installed: `sudo apt-get install libclang1-{version}`")


@functools.cache
def _contents(python: Path, library: Path) -> jail.Contents:
    standard = Path(sysconfig.get_path("stdlib"))
    modules = Path(_ctypes.__file__)
    hidden = tuple(standard / name for name in ("site-packages", "dist-packages", "test"))
    return jail.Contents((python, library, modules), (standard,), hidden)
