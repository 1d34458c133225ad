"""A jail for programs that read hostile text: compiler and parser see only what they need of the host.

Bubblewrap makes new namespaces. The file system in there holds the program, the libraries it is linked with and the
files it is given, all read-only; there is no /etc, /proc, /dev, no network, no other process, no environment. Started
by root the program runs as nobody; started by an ordinary user, in a user namespace. Its output comes back through
pipes, up to a limit.
"""

import contextlib
import functools
import json
import os
import pwd
import re
import selectors
import shutil
import signal
import subprocess
import time
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path, PurePosixPath

from schedcp_gym.spec import MissingTool, SchedcpError

#: The folder the program runs in.
HERE = "/build"
NOBODY = "nobody"
_CHUNK = 1 << 16
_NO_NAMESPACES = (
    ". This host lets nobody make namespaces: as an ordinary user, Ubuntu needs an AppArmor profile for bwrap or "
    "`sudo sysctl kernel.apparmor_restrict_unprivileged_userns=0`, other kernels "
    "`sudo sysctl user.max_user_namespaces=65536`; "
    "a container has to be started with the right to make namespaces (docker run --privileged)"
)


class JailKilled(SchedcpError):
    """Something outside killed the jail, so nothing is known about the program in it."""


@dataclass(frozen=True)
class Limits:
    """Limits of what a program may use.

    Attributes:
        cpu_s: Seconds of CPU time.
        wall_s: Seconds until it is killed.
        memory_bytes: Address space.
        output_bytes: Standard output.
        words_bytes: Standard error.
    """

    cpu_s: int = 6
    wall_s: float = 40.0
    memory_bytes: int = 1 << 30
    output_bytes: int = 16 << 20
    words_bytes: int = 1 << 20


@dataclass(frozen=True)
class Contents:
    """The files of a jail, without those of a single call.

    Attributes:
        programs: Programs and shared objects, by their real paths; the libraries they need come along.
        folders: Folders of the host that appear under their own path.
        hidden: Folders below those that appear empty.
    """

    programs: tuple[Path, ...]
    folders: tuple[Path, ...] = ()
    hidden: tuple[Path, ...] = ()


@dataclass(frozen=True)
class Ended:
    """The end of a program.

    Attributes:
        status: Its exit status; 128 and the signal's number when one killed it.
        output: Standard output.
        words: Standard error.
        exceeded: The limit that ended it, in words; empty when none did.
    """

    status: int
    output: bytes
    words: str
    exceeded: str = ""

    @property
    def crashed(self) -> bool:
        """Return whether a signal ended it."""
        return self.status > 128


@dataclass
class _Caught:
    """The bytes that came through the pipes so far, and the limit that was exceeded."""

    streams: dict[str, bytearray] = field(default_factory=lambda: {"output": bytearray(), "words": bytearray()})
    exceeded: str = ""


def run(
    command: Sequence[str],
    contents: Contents,
    *,
    folders: Mapping[str, Path] | None = None,
    files: Mapping[str, bytes] | None = None,
    environment: Mapping[str, str] | None = None,
    limits: Limits | None = None,
) -> Ended:
    """Run a program in a jail of its own and wait for its end.

    Args:
        command: Program (its path as in ``contents``) and arguments.
        contents: What the jail holds.
        folders: Host folders to be seen below the program's folder: {name there: host folder}.
        files: Files in the program's folder: {name: content}.
        environment: All of its environment.
        limits: What it may use.

    Raises:
        MissingTool: bubblewrap or util-linux is not there, or this host lets nobody make namespaces.
        JailKilled: Something outside killed it.
    """
    limits = limits or Limits()
    with contextlib.ExitStack() as stack:
        descriptors = {name: stack.enter_context(_sealed(name, content)) for name, content in (files or {}).items()}
        status_read, status_write = os.pipe()
        status_end = stack.enter_context(os.fdopen(status_read, "rb"))
        with os.fdopen(status_write, "wb") as write_end:
            line = _bubblewrap(contents, folders or {}, descriptors, environment or {}, status_write)
            line += [*_without_rights(), *_limited(limits), *command]
            process = subprocess.Popen(
                line,
                stdin=subprocess.DEVNULL,
                stdout=subprocess.PIPE,
                stderr=subprocess.PIPE,
                cwd="/",
                env={"PATH": os.environ.get("PATH", os.defpath)},
                pass_fds=(write_end.fileno(), *descriptors.values()),
            )
        with process:
            try:
                caught = _listen(process, limits)
            except BaseException:
                process.kill()
                raise
            returned = process.wait()
        return _judge(returned, status_end.read(), caught, limits)


def _listen(process: "subprocess.Popen[bytes]", limits: Limits) -> _Caught:
    """Read both pipes until they close, or until a limit is exceeded: then kill all that runs in the jail."""
    assert process.stdout
    assert process.stderr
    allowed = {"output": limits.output_bytes, "words": limits.words_bytes}
    caught, end = _Caught(), time.monotonic() + limits.wall_s
    with selectors.DefaultSelector() as selector:
        selector.register(process.stdout, selectors.EVENT_READ, "output")
        selector.register(process.stderr, selectors.EVENT_READ, "words")
        while selector.get_map() and not caught.exceeded:
            for key, _ in selector.select(max(0.0, end - time.monotonic())):
                chunk = os.read(key.fd, _CHUNK)
                if not chunk:
                    selector.unregister(key.fileobj)
                caught.streams[key.data] += chunk
                if len(caught.streams[key.data]) > allowed[key.data]:
                    caught.exceeded = f"it wrote more than {allowed[key.data]} bytes"
            if time.monotonic() >= end:
                caught.exceeded = caught.exceeded or f"it took longer than {limits.wall_s:g} s"
    if caught.exceeded:
        process.kill()
    return caught


def _judge(returned: int, status_lines: bytes, caught: _Caught, limits: Limits) -> Ended:
    words = caught.streams["words"][: limits.words_bytes].decode(errors="replace")
    output = bytes(caught.streams["output"][: limits.output_bytes])
    if caught.exceeded:
        return Ended(128 + signal.SIGKILL, output, words, caught.exceeded)
    ended = [entry["exit-code"] for entry in map(json.loads, status_lines.splitlines()) if "exit-code" in entry]
    if not ended:
        if returned > 0:
            said = words.strip()[:200] or f"status {returned}"
            raise MissingTool(f"the jail can't be made: {said}" + (_NO_NAMESPACES if _is_refusal(said) else ""))
        raise JailKilled(f"the jail was killed from outside (signal {-returned})")
    status = int(ended[0])
    exceeded = ""
    if status in (128 + signal.SIGXCPU, 128 + signal.SIGKILL):  # the latter a second later, or from the host's own want
        exceeded = f"it used more than {limits.cpu_s} s of CPU time"
    elif status and re.search(r"out of memory|bad_alloc|MemoryError|Cannot allocate memory", words):
        exceeded = f"it needed more than {limits.memory_bytes >> 20} MiB of memory"
    return Ended(status, output, words, exceeded)


def _is_refusal(words: str) -> bool:
    """Return whether bwrap was not allowed to make namespaces."""
    return any(sign in words for sign in ("namespace", "not permitted", "Permission denied", "uid map"))


def _bubblewrap(
    contents: Contents,
    folders: Mapping[str, Path],
    descriptors: Mapping[str, int],
    environment: Mapping[str, str],
    status: int,
) -> list[str]:
    """Return the command line that makes the jail."""
    program = shutil.which("bwrap")
    if not program:
        raise MissingTool("bubblewrap is not installed: `sudo apt-get install bubblewrap`")
    shown = _with_libraries(contents.programs + _helpers())
    binds = {str(path): path for path in (*shown, *contents.folders)}
    binds |= {f"{HERE}/{name}": path for name, path in folders.items()}
    line = [program, "--unshare-pid", "--unshare-net", "--unshare-ipc", "--unshare-uts", "--unshare-cgroup-try"]
    line += ["--die-with-parent", "--new-session", "--clearenv", "--json-status-fd", str(status)]
    if os.geteuid() == 0:
        for right in ("CAP_SETUID", "CAP_SETGID", "CAP_SETPCAP"):  # to give up all rights, themselves included
            line += ["--cap-add", right]
    else:
        line += ["--unshare-user", "--uid", "65534", "--gid", "65534"]
    # bwrap makes missing parents for its own user only.
    for parent in _parents((*binds, f"{HERE}/file")):
        line += ["--perms", "0755", "--dir", parent]
    for there, path in binds.items():
        line += ["--ro-bind", str(path), there]
    for path in contents.hidden:
        if path.is_dir():
            line += ["--tmpfs", str(path)]
    for name, descriptor in descriptors.items():
        line += ["--perms", "0444", "--ro-bind-data", str(descriptor), f"{HERE}/{name}"]
    places = sorted({str(path.parent) for path in shown})
    for name, value in {"LD_LIBRARY_PATH": ":".join(places), **environment}.items():
        line += ["--setenv", name, value]
    return [*line, "--remount-ro", "/", "--chdir", HERE, "--"]


def _parents(paths: Iterable[str]) -> list[str]:
    """Return all folders above the paths, the upper first."""
    return sorted({str(parent) for path in paths for parent in PurePosixPath(path).parents})


@functools.cache
def _helpers() -> tuple[Path, ...]:
    found = []
    for tool in ("setpriv", "prlimit"):
        path = shutil.which(tool)
        if not path:
            raise MissingTool(f"{tool} is not installed: `sudo apt-get install util-linux`")
        found.append(Path(path))
    return tuple(found)


def _without_rights() -> list[str]:
    """Return the words that give up root's rights. The limit of processes comes later: it counts the new user's."""
    if os.geteuid() != 0:
        return []
    nobody = pwd.getpwnam(NOBODY)
    setpriv = str(_helpers()[0])
    ids = [f"--reuid={nobody.pw_uid}", f"--regid={nobody.pw_gid}", "--clear-groups"]
    return [setpriv, *ids, "--bounding-set=-all", "--inh-caps=-all", "--no-new-privs", "--"]


def _limited(limits: Limits) -> list[str]:
    """Return the words that set the limits; the program can't start another one or write a file."""
    caps = [f"--cpu={limits.cpu_s}:{limits.cpu_s + 1}", f"--as={limits.memory_bytes}", "--fsize=0", "--core=0"]
    return [str(_helpers()[1]), *caps, "--nproc=1", "--nofile=256", "--"]


@functools.cache
def _with_libraries(programs: tuple[Path, ...]) -> tuple[Path, ...]:
    """Return the programs and the shared objects that they need, by the paths where the dynamic linker looks."""
    found = dict.fromkeys(programs)
    for program in programs:
        told = subprocess.run(["ldd", str(program)], capture_output=True, text=True, check=False).stdout
        for line in told.splitlines():
            name, _, target = line.strip().partition(" => ")
            path = (target or name).rpartition(" (")[0]
            if path.startswith("/"):
                found[Path(path)] = None
    return tuple(found)


@contextlib.contextmanager
def _sealed(name: str, content: bytes) -> Iterator[int]:
    """Yield the descriptor of a file in memory, which has no name on the host."""
    descriptor = os.memfd_create(f"schedcp-{name}")
    try:
        with os.fdopen(os.dup(descriptor), "wb") as target:
            target.write(content)
        os.lseek(descriptor, 0, os.SEEK_SET)
        yield descriptor
    finally:
        os.close(descriptor)
