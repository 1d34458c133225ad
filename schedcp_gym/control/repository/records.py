"""The records of the repository, as frozen values. An export has one in each line."""

import enum
from dataclasses import field
from typing import Annotated, Literal, Self

from pydantic import ConfigDict, Field, StringConstraints, model_validator
from pydantic.dataclasses import dataclass

from schedcp_gym.spec import Clock, MachineSpec, Outcome, Scale, source_sha256
from schedcp_gym.spec.digest import digest, policy_id

#: Most characters of a policy's source, and of other texts.
SOURCE_LIMIT = 1 << 20
TEXT_LIMIT = 20_000
_ID_LENGTH = 16
Name = Annotated[str, StringConstraints(pattern=r"^[A-Za-z0-9][A-Za-z0-9_.@+-]{0,79}$")]
Text = Annotated[str, StringConstraints(max_length=TEXT_LIMIT)]
Value = int | bool | str
_CONFIG = ConfigDict(extra="forbid", allow_inf_nan=False)


class Kind(enum.StrEnum):
    """Kinds of records that a search can find."""

    POLICY = "policy"
    ANTIPATTERN = "antipattern"
    PRIMITIVE = "primitive"


class Status(enum.StrEnum):
    """Degrees of trust in a policy."""

    LIBRARY = "library"  # comes with the package
    CANDIDATE = "candidate"  # new: not yet proven
    PROMOTED = "promoted"  # proven on repeated seeds
    SUPERSEDED = "superseded"  # once part of the library, and replaced there


class How(enum.StrEnum):
    """Ways in which a policy is made from another."""

    PATCHED = "patched"  # its code was changed
    COMPOSED = "composed"  # its code, or a primitive, is a part
    CONFIGURED = "configured"  # the same code with other values


@dataclass(frozen=True, config=_CONFIG)
class Parent:
    """A policy or primitive from which a policy was made.

    Attributes:
        name: Its name.
        how: The way in which the new policy was made from it.
        note: The reason, in a line.
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
        values: Values of tunables that belong to the policy; the others have their defaults.
        card: What the policy does, and what it is good and bad for, in plain words.
        workloads: Workloads that it is meant for.
        classes: Classes of workloads that it is meant for (``classes.yaml``).
        kernel: The kernel that it was made for.
        machine: The machine that it was made for, as ``machine_label`` writes it; empty for any.
        author: ``library``, or the name of an agent or a person.
        parents: The policies and primitives that it was made from.
        status: Degree of trust, set by the repository.
        created_at: Time in UTC, as ISO 8601; set by the repository if empty.
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
        """Return the SHA-256 (hex) of the source, as in records of runs and in file names of the leaderboard."""
        return source_sha256(self.source)

    @property
    def id(self) -> str:
        """Return the id: a digest of source and values, so the same policy has the same id everywhere."""
        return policy_id(self.source, self.values)


@dataclass(frozen=True, kw_only=True, config=_CONFIG)
class ResultRecord:
    """The result of a policy in one trial or one deployment.

    Attributes:
        policy: Id of the policy's record. ``Repository.record`` accepts a name as well.
        workload: The workload's name.
        workload_class: The workload's class.
        objective: Name of the objective; empty for the workload's own.
        scale: The trial's scale.
        seed: The workload's seed.
        values: Values of tunables in this trial, in addition to the record's own or instead of them.
        machine: The machine, as ``machine_label`` writes it.
        kernel: The machine's kernel setting.
        outcome: How the trial ended.
        metrics: Values by name; the names have the units.
        reward: Log of the improvement ratio over EEVDF; None without a measurement of EEVDF.
        origin: A trial, or a deployment. Deployments of the same policy count each.
        trial: The trial's digest; for a deployment its id.
        message: The reason if the outcome is not ok.
        measured_at: Time in UTC, as ISO 8601; set by the repository if empty.
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
        """Return the id. A trial that is repeated on the virtual clock has the same id, so it counts once."""
        named = [self.policy, self.values, self.workload, self.objective, self.scale, self.seed]
        again = [] if self.origin == "trial" and "virtual" in self.machine else [self.measured_at, self.metrics]
        return digest([*named, self.machine, self.kernel, self.origin, self.trial, *again])[:_ID_LENGTH]


@dataclass(frozen=True, kw_only=True, config=_CONFIG)
class Antipattern:
    """A lesson: something that did not work, with the reason.

    Attributes:
        name: A few words in kebab case.
        failed_because: The reason, in a sentence or two.
        instead: A better way.
        policy: The policy in which it was found; empty for a general lesson.
        workloads: Workloads on which it was found.
        classes: Classes of workloads for which it is true.
        outcome: How the trial ended.
        machine: The machine, as ``machine_label`` writes it.
        evidence: Lines of a log, or figures.
        author: ``library``, or the name of an agent or a person.
        created_at: Time in UTC, as ISO 8601; set by the repository if empty.
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
        """Return the id: a digest of reason, policy and workloads."""
        return digest([self.failed_because, self.policy, list(self.workloads)])[:_ID_LENGTH]


@dataclass(frozen=True, kw_only=True, config=_CONFIG)
class Primitive:
    """A part from which policies are composed: code of the library, with all that it needs.

    Attributes:
        name: Name of its file.
        title: A few words.
        card: What it does, and when to use it.
        code: C from the library; empty if the headers have all the code.
        headers: Headers to include.
        tunables: Declarations that the code needs before it.
        maps: Names of BPF maps that it defines or uses.
        usage: A call from a policy, in C.
        used_by: Policies of the library that contain it.
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
        """Return the id: a digest of the name, so a changed primitive replaces the old one."""
        return digest(["primitive", self.name])[:_ID_LENGTH]


Searchable = PolicyRecord | Antipattern | Primitive
Record = PolicyRecord | ResultRecord | Antipattern | Primitive


def machine_label(machine: MachineSpec) -> str:
    """Return a machine's name without its kernel, such as ``virtual-2cpu-1024mib``."""
    clock = Clock(machine.clock).value
    return f"{clock}-{machine.cpus}cpu-{machine.memory_mib}mib"
