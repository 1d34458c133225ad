"""The profiles in ``probes/``, and the program that several BCC profiles are compiled into."""

import functools
import struct
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

import yaml
from pydantic import Field, TypeAdapter, ValidationError

from schedcp_gym.lab import elf
from schedcp_gym.lab.catalogue import unknown
from schedcp_gym.lab.compiler import compile_policy
from schedcp_gym.machine.image import Image
from schedcp_gym.machine.image.inputs import folder_digest
from schedcp_gym.spec import BadInput
from schedcp_gym.spec.digest import digest
from schedcp_gym.spec.errors import first_fault

PROBES = Path(__file__).with_name("probes")
GUEST = Path(__file__).with_name("guest")
#: Names of the numbers in the section ``layout`` of guest/layout.bpf.c, in its order.
FIELDS = (
    *("TASK_PID", "TASK_FILES", "FILES_FDT", "FDT_MAX", "FDT_FD", "FILE_INODE", "INODE_MODE"),
    *("ORIG_AX", "FIRST_ARGUMENT"),
)
#: Tracepoints that every program needs, to follow the workload's tasks and their states.
ALWAYS = ("sched_process_fork", "task_rename", "sched_wakeup", "sched_wakeup_new", "sched_switch")
#: Tracepoints that each hook needs in addition.
TRACEPOINTS: dict[str, tuple[str, ...]] = {
    "runs": (),
    "stops": (),
    "blocks": (),
    "moves": ("sched_migrate_task",),
    "wakes": (
        *("sched_waking", "hrtimer_expire_entry", "hrtimer_expire_exit"),
        *("timer_expire_entry", "timer_expire_exit"),
    ),
}


@dataclass(frozen=True)
class Probe:
    """A profile: ``probes/<name>.yaml`` beside ``<name>.c`` (BCC) or ``<name>.py`` (a tool).

    Attributes:
        title: A few words.
        says: What is counted.
        reading: How to interpret it.
        unit: Unit of the values; empty for tables.
        keyed_by: What the histograms are grouped by.
        default: Whether it runs if no profile is named.
        hooks: BCC: the events that it listens to (``runs`` calls the function ``<name>_runs``).
        name: Name of the file.
        source: Text of the file beside it.
        language: ``c`` or ``py``.
    """

    title: str
    says: str
    reading: str
    unit: str = ""
    keyed_by: str = ""
    default: bool = False
    hooks: tuple[Annotated[str, Field(pattern="^(runs|stops|blocks|moves|wakes)$")], ...] = ()
    name: str = ""
    source: str = ""
    language: str = ""

    @property
    def is_bcc(self) -> bool:
        """Return whether it is compiled into the kernel. If not, it is a tool that runs the workload."""
        return self.language == "c"


@functools.cache
def all_probes() -> dict[str, Probe]:
    """Return all profiles by name.

    Raises:
        BadInput: A declaration is invalid; the message names the file and the field.
    """
    return {path.stem: _load(path) for path in sorted(PROBES.glob("*.yaml"))}


def _load(path: Path) -> Probe:
    source = next((file for ending in ("c", "py") if (file := path.with_suffix(f".{ending}")).is_file()), None)
    if source is None:
        raise BadInput(f"{path}: there is no {path.stem}.c or {path.stem}.py beside it")
    try:
        declared = yaml.safe_load(path.read_text())
        found = {"name": path.stem, "source": source.read_text(), "language": source.suffix[1:]}
        return TypeAdapter(Probe).validate_python({**declared, **found})
    except (yaml.YAMLError, TypeError) as error:
        raise BadInput(f"{path}: not a mapping in YAML: {' '.join(str(error).split())}") from None
    except ValidationError as error:
        raise BadInput(f"{path}: {first_fault(error)}") from None


def choose(names: tuple[str, ...]) -> list[Probe]:
    """Return the profiles with these names, in the catalogue's order; the default ones if there are no names.

    Raises:
        BadInput: A profile does not exist.
    """
    known = all_probes()
    for name in names:
        if name not in known:
            raise unknown("profile", name, known)
    return [probe for probe in known.values() if (probe.name in names if names else probe.default)]


def tracepoints(probes: list[Probe]) -> list[str]:
    """Return the kernel's tracepoints that these probes need."""
    extra = {name for probe in probes for hook in probe.hooks for name in TRACEPOINTS[hook]}
    return [*ALWAYS, *sorted(extra)]


def assemble(probes: list[Probe], offsets: dict[str, int]) -> str:
    """Return the C source of one program with several probes, which share the bookkeeping and the cost of each event.

    Args:
        probes: The probes.
        offsets: Offsets from :func:`offsets`.
    """
    lines = [f"#define {name} {offset}" for name, offset in offsets.items()]
    for hook in TRACEPOINTS:
        if calls := [f"{probe.name}_{hook}(task, now);" for probe in probes if hook in probe.hooks]:
            lines.append(f"#define ON_{hook.upper()}(task, now) do {{ {' '.join(calls)} }} while (0)")
            lines.append(f"#define WANTS_{hook.upper()}")
    parts = [(GUEST / "common.c").read_text(), *(probe.source for probe in probes), (GUEST / "hooks.c").read_text()]
    return "\n".join([*lines, *parts])


def offsets(image: Image) -> dict[str, int]:
    """Return the offsets, in this image's kernel, of the fields that the probes read."""
    compiled = compile_policy((GUEST / "layout.bpf.c").read_text(), image)
    content = next(section.content for section in elf.sections(compiled) if section.name == "layout")
    return dict(zip(FIELDS, struct.unpack(f"<{len(FIELDS)}I", content), strict=True))


def guest_files() -> dict[str, bytes]:
    """Return the guest's programs by their names in a job."""
    return {
        f"watch/{path.relative_to(GUEST)}": path.read_bytes()
        for path in sorted(GUEST.rglob("*"))
        if path.is_file() and "__pycache__" not in path.parts and path.suffix not in (".c", ".sh")
    }


def probe_digest(names: tuple[str, ...]) -> str:
    """Return the SHA-256 (hex) of everything that these profiles depend on, except the trial and its image.

    Raises:
        BadInput: A profile does not exist.
    """
    return digest([[[probe.name, probe.source, probe.hooks] for probe in choose(names)], side_digest()])


@functools.cache
def side_digest() -> str:
    """Return the SHA-256 (hex) of the guest's programs."""
    return folder_digest(GUEST, {"__pycache__"})
