"""The containers of this host, and the workload that each one's programs stand for."""

import fnmatch
import re
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import yaml
from pydantic import TypeAdapter

from schedcp_gym.lab.catalogue import unknown, workload_names
from schedcp_gym.spec import BadInput

#: Workloads, each with globs for its programs.
Rules = list[tuple[str, list[str]]]

PROC, PROGRAMS = Path("/proc"), Path(__file__).with_name("programs.yaml")
_HEX = "(?P<id>[0-9a-f]{64})"
#: How runtimes name a container's cgroup. Monitors beside containers (conmon, lxc.monitor) match none of these.
RUNTIMES = [
    (name, re.compile(rf"(?:^|[/-])(?:{pattern})(?=/|$)"))
    for name, pattern in (
        ("kubernetes", rf"kubepods\S*/(?:cri-containerd|crio|docker|libpod)-{_HEX}\.scope"),  # systemd driver
        ("kubernetes", rf"kubepods[^/]*:cri-containerd:{_HEX}"),  # a systemd path given to the cgroupfs driver
        ("kubernetes", rf"kubepods/(?:\w+/)?pod[0-9a-f_-]+/(?:crio-)?{_HEX}"),  # cgroupfs driver
        ("ecs", r"ecs/(?:[\w-]+/)+(?P<id>[0-9a-f]{64}|[0-9a-f]{32}-\d+)"),
        ("docker", rf"docker[-/]{_HEX}(?:\.scope)?"),
        ("podman", rf"libpod-(?:payload-)?{_HEX}(?:\.scope)?"),
        ("containerd", rf"(?:nerdctl|cri-containerd)-{_HEX}\.scope"),
        ("lxc", r"lxc(?:\.payload\.|/)(?P<id>[^/]+)"),
        ("nspawn", r"systemd-nspawn@(?P<id>[^/]+)\.service"),
        ("systemd-run", r"run-(?P<id>[rup][0-9a-f][0-9a-fi-]*)\.(?:scope|service)"),
    )
]


@dataclass(frozen=True)
class Container:
    """A container: its runtime's name, its id, and its cgroup's path."""

    runtime: str
    id: str
    cgroup: str

    def __str__(self) -> str:
        return f"{self.runtime} {self.id[:12]}"


def container_of(cgroup: str) -> Container | None:
    """Return the innermost container that a cgroup's path leads into."""
    found = [(name, match) for name, pattern in RUNTIMES for match in pattern.finditer(cgroup)]
    name, match = max(found, key=lambda one: one[1].end(), default=("", None))
    return match and Container(name, match["id"], cgroup[: match.end()])


def containers(proc: Path = PROC) -> dict[Container, list[Path]]:
    """Return the containers that have processes, each with its processes' folders in ``/proc``, by process id."""
    found: dict[Container, list[Path]] = {}
    for folder in sorted(proc.glob("[0-9]*"), key=lambda path: int(path.name)):
        lines = _read(folder / "cgroup").splitlines()  # one for all controllers, or, in version 1, one for each
        known = (container_of(line.split(":", 2)[-1]) for line in lines)
        if container := next(filter(None, known), None):
            found.setdefault(container, []).append(folder)
    return found


def programs(processes: Sequence[Path]) -> list[tuple[str, ...]]:
    """Return what each process may be called: its name in the kernel, its program, its whole command line."""
    found: list[tuple[str, ...]] = []
    for folder in processes:
        words = [word for word in _read(folder / "cmdline").split("\0") if word]
        program = words[0].rpartition("/")[2] if words else ""
        found.append((_read(folder / "comm").strip(), program, " ".join([program, *words[1:]])))
    return found


def workload_of(rules: Rules, names: Sequence[tuple[str, ...]]) -> str | None:
    """Return the workload of the first rule that fits a process."""
    texts = [name for one in names for name in one]
    return next((workload for workload, globs in rules if any(fnmatch.filter(texts, glob) for glob in globs)), None)


def load_rules(file: Path | None = None) -> Rules:
    """Return the rules of a file, then ours.

    Raises:
        BadInput: The file can't be read, has something else in it, or names an unknown workload.
    """
    rules: Rules = []
    for path in filter(None, (file, PROGRAMS)):
        try:
            declared = TypeAdapter(dict[str, list[str]]).validate_python(yaml.safe_load(path.read_text()))
        except (OSError, ValueError, yaml.YAMLError) as error:
            raise BadInput(f"{path} can't be read: {' '.join(str(error).split())}") from None
        if wrong := declared.keys() - set(workload_names()):
            raise BadInput(f"{path}: {unknown('workload', min(wrong), workload_names())}")
        rules += declared.items()
    return rules


def _read(path: Path) -> str:
    """Return the beginning of a file of ``/proc``; empty when the process has ended."""
    try:
        with path.open("rb") as file:
            return file.read(4096).decode(errors="replace")
    except OSError:
        return ""
