"""What the repository keeps, as frozen values; each is one line of an export."""

import enum
from dataclasses import field
from typing import Annotated, Literal, Self

from pydantic import ConfigDict, Field, StringConstraints, model_validator
from pydantic.dataclasses import dataclass

from schedcp_gym.spec import Clock, MachineSpec, Outcome, Scale, source_sha256
from schedcp_gym.spec.digest import digest, policy_id

#: Characters of a policy's source, and of a card or lesson, that are kept.
SOURCE_LIMIT = 1 << 20
TEXT_LIMIT = 20_000
_ID_LENGTH = 16
Name = Annotated[str, StringConstraints(pattern=r"^[A-Za-z0-9][A-Za-z0-9_.@+-]{0,79}$")]
Text = Annotated[str, StringConstraints(max_length=TEXT_LIMIT)]
Value = int | bool | str
_CONFIG = ConfigDict(extra="forbid", allow_inf_nan=False)


class Kind(enum.StrEnum):
    """Kinds of records that are searched."""

    POLICY = "policy"
    ANTIPATTERN = "antipattern"
    PRIMITIVE = "primitive"


class Status(enum.StrEnum):
    """How far a policy is trusted."""

    LIBRARY = "library"  # comes with the package
    CANDIDATE = "candidate"  # new: not yet proven
    PROMOTED = "promoted"  # proven on repeated seeds
    SUPERSEDED = "superseded"  # of the library once, and replaced there


class How(enum.StrEnum):
    """What a policy was to the one it came from."""

    PATCHED = "patched"  # its code was changed
    COMPOSED = "composed"  # its code, or a primitive, is a part
    CONFIGURED = "configured"  # the same code with other values


@dataclass(frozen=True, config=_CONFIG)
class Parent:
    """Where a policy came from.

    Attributes:
        name: The policy, or the primitive, that it was made from.
        how: What was done.
        note: Why, in a line.
    """

    name: Name
    how: How
    note: Text = ""


@dataclass(frozen=True, kw_only=True, config=_CONFIG)
class PolicyRecord:
    """A policy of the repository.

    Attributes:
        name: Unique in the repository.
        source: BPF C.
        values: Values for tunables that it is kept with; others have their defaults.
        card: What it does, what it is good and bad for, in plain words; the source's header comment if not given.
        workloads: Workloads it is meant for.
        classes: Classes of workloads it is meant for (``classes.yaml``).
        kernel: The kernel it was made for.
        machine: The machine it was made for, as ``machine_label`` writes it; empty: any.
        author: Who wrote it: ``library``, an agent's name, a person's.
        parents: Its lineage.
        status: How far it is trusted; set by the repository.
        created_at: UTC, as ISO 8601; set by the repository where empty.
    """

    name: Name
    source: Annotated[str, StringConstraints(min_length=1, max_length=SOURCE_LIMIT)]
    values: dict[str, Value] = field(default_factory=dict)
    card: Text = ""
    workloads: tuple[Name, ...] = ()
    classes: tuple[Name, ...] = ()
    kernel: str = ""
    machine: str = ""
    author: str = ""
    parents: tuple[Parent, ...] = ()
    status: Status = Status.CANDIDATE
    created_at: str = ""
    kind: Literal["policy"] = "policy"

    @property
    def source_sha256(self) -> str:
        """SHA-256 (hex) of the source: the same as in records of runs, and in names of policies of the leaderboard."""
        return source_sha256(self.source)

    @property
    def id(self) -> str:
        """Follows from source and values: the same policy has the same."""
        return policy_id(self.source, self.values)


@dataclass(frozen=True, kw_only=True, config=_CONFIG)
class ResultRecord:
    """What a policy came to in one trial, or one deployment.

    Attributes:
        policy: The policy record's id; a name is taken too when it is recorded.
        workload: On what.
        workload_class: The workload's class.
        objective: What counted as better; empty: the workload's own.
        scale: How long it ran.
        seed: The workload's seed.
        values: Values set for this trial, beside (or instead of) the record's own.
        machine: As ``machine_label`` writes it.
        kernel: The machine's kernel setting.
        outcome: How it ended.
        metrics: By name, units in the names.
        reward: Log of the improvement ratio over EEVDF; None where there is nothing to compare with.
        origin: A trial, or a deployment (which may be repeated).
        trial: The trial's digest; for a deployment its id.
        message: Why it is not ok.
        measured_at: UTC, as ISO 8601; set by the repository where empty.
    """

    policy: str
    workload: Name
    outcome: Outcome
    workload_class: str = ""
    objective: str = ""
    scale: Scale = Scale.SMOKE
    seed: Annotated[int, Field(ge=0, le=2**31 - 1)] = 0
    values: dict[str, Value] = field(default_factory=dict)
    machine: str = ""
    kernel: str = "debian"
    metrics: dict[str, float] = field(default_factory=dict)
    reward: float | None = None
    origin: Literal["trial", "deployment"] = "trial"
    trial: str = ""
    message: Text = ""
    measured_at: str = ""
    kind: Literal["result"] = "result"

    @model_validator(mode="after")
    def _is_whole(self) -> Self:
        if self.outcome is Outcome.OK and not self.metrics:
            raise ValueError("an ok result has metrics")
        return self

    @property
    def id(self) -> str:
        """The same trial, measured again on the virtual clock, is the same result."""
        named = [self.policy, self.values, self.workload, self.objective, self.scale, self.seed]
        again = [] if self.origin == "trial" and "virtual" in self.machine else [self.measured_at, self.metrics]
        return digest([*named, self.machine, self.kernel, self.origin, self.trial, *again])[:_ID_LENGTH]


@dataclass(frozen=True, kw_only=True, config=_CONFIG)
class Antipattern:
    """What did not work, and why.

    Attributes:
        name: A few words in kebab case.
        failed_because: The reason, in a sentence or two.
        instead: What to do instead.
        policy: The policy that showed it; empty for a general one.
        workloads: Where it showed.
        classes: Classes of workloads it holds for.
        outcome: How it ended.
        machine: Where.
        evidence: Lines of a log, or figures.
        author: Who found it.
        created_at: UTC, as ISO 8601; set by the repository where empty.
    """

    name: Name
    failed_because: Annotated[str, StringConstraints(min_length=1, max_length=TEXT_LIMIT)]
    instead: Text = ""
    policy: str = ""
    workloads: tuple[Name, ...] = ()
    classes: tuple[Name, ...] = ()
    outcome: Outcome | None = None
    machine: str = ""
    evidence: Text = ""
    author: str = ""
    created_at: str = ""
    kind: Literal["antipattern"] = "antipattern"

    @property
    def id(self) -> str:
        """Follows from what is said of which policy."""
        return digest([self.failed_because, self.policy, list(self.workloads)])[:_ID_LENGTH]


@dataclass(frozen=True, kw_only=True, config=_CONFIG)
class Primitive:
    """A part that policies are composed of: code of the library, with what it needs.

    Attributes:
        name: The file's.
        title: A few words.
        card: What it does, and when to use it.
        code: C, as it stands in the library; empty where the headers are all there is to it.
        headers: To be included.
        tunables: Declarations to be there before the code.
        maps: Names of BPF maps that it defines or uses.
        usage: How a policy calls it, in C.
        used_by: Policies of the library that it compiles in.
    """

    name: Name
    title: str
    card: Text
    code: str = ""
    headers: tuple[str, ...] = ()
    tunables: tuple[str, ...] = ()
    maps: tuple[str, ...] = ()
    usage: Text = ""
    used_by: tuple[Name, ...] = ()
    kind: Literal["primitive"] = "primitive"

    @property
    def id(self) -> str:
        """Follows from its name: a primitive that changed replaces what it was."""
        return digest(["primitive", self.name])[:_ID_LENGTH]


Searchable = PolicyRecord | Antipattern | Primitive
Record = PolicyRecord | ResultRecord | Antipattern | Primitive


def machine_label(machine: MachineSpec) -> str:
    """A machine in a word, its kernel left out: ``virtual-2cpu-1024mib``."""
    clock = Clock(machine.clock).value
    return f"{clock}-{machine.cpus}cpu-{machine.memory_mib}mib"
