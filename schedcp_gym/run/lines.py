"""What a run writes line by line, typed: measurements and notes of the record, calls of the audit log.

A line stays the mapping that it is in the file. What is asked of it by name is checked when it is read, and fields that
are not known here are kept: they may be of a later version.
"""

from collections.abc import Mapping, Sequence
from typing import Annotated, Any, Literal, NotRequired

from pydantic import ConfigDict, Discriminator, TypeAdapter, ValidationError, with_config
from typing_extensions import TypedDict

from schedcp_gym.spec import Measurement, SchedcpError
from schedcp_gym.spec.errors import first_fault

_OPEN = ConfigDict(extra="allow", strict=True)


@with_config(_OPEN)
class Measured(TypedDict):
    """What of a measurement is asked by name; the rest is there too, and :func:`measurement_of` reads all of it."""

    trial: str
    outcome: str
    metrics: dict[str, float]
    utilisation: float | None
    job_s: float | None
    digests: dict[str, str]


@with_config(_OPEN)
class Host(TypedDict):
    """What depends on the host that measured."""

    timings_s: dict[str, float]


@with_config(_OPEN)
class _Trial(TypedDict):
    workload: str
    scale: str
    workload_seed: int
    policy: str
    tunables: dict[str, Any]
    source_sha256: str
    outcome: str
    message: str
    reward: float
    reward_parts: dict[str, float]
    measurement: Measured
    host: Host


@with_config(_OPEN)
class Baseline(_Trial):
    """EEVDF's measurement, with which an episode of the search begins."""

    kind: Literal["baseline"]
    episode: int
    step: int


@with_config(_OPEN)
class Evaluation(_Trial):
    """A policy that the search has measured; ``llm``: what the run's models had taken by then."""

    kind: Literal["evaluation"]
    episode: int
    step: int
    llm: NotRequired[dict[str, Any] | None]


class Chosen(Evaluation):
    """An evaluation that is a run's best; ``verified``: by an agent that has its policies verified."""

    verified: NotRequired[bool]


@with_config(_OPEN)
class HeldOut(_Trial):
    """A measurement of the test on held-out seeds."""

    kind: Literal["heldout"]


@with_config(_OPEN)
class Note(TypedDict):
    """What an agent has noted; each has fields of its own."""

    kind: Literal["note"]
    chosen: NotRequired[dict[str, Any] | None]
    ended: NotRequired[str]


@with_config(_OPEN)
class Call(TypedDict):
    """A tool's call, in the audit log."""

    kind: Literal["call"]
    tool: str
    arguments: dict[str, Any]
    is_error: bool
    text: str
    data: dict[str, Any]
    evaluation: NotRequired[int | None]


#: A measurement in a record, and any line of a record.
TrialLine = Baseline | Evaluation | HeldOut
Line = Annotated[TrialLine | Note, Discriminator("kind")]
_LINE: TypeAdapter[Line] = TypeAdapter(Line)
_CALL: TypeAdapter[Call] = TypeAdapter(Call)
_MEASUREMENT = TypeAdapter(Measurement)


def line_of(plain: Mapping[str, Any]) -> Line:
    """Return a record's line, checked.

    Raises:
        ValueError: It is none.
    """
    return _LINE.validate_python(plain)


def typed_lines(plain: Sequence[Mapping[str, Any]], where: str) -> list[Line]:
    """Return the lines of a record, checked.

    Args:
        plain: The lines.
        where: How an error names the record.

    Raises:
        SchedcpError: One is damaged.
    """
    return [_checked(_LINE, line, where, number) for number, line in enumerate(plain, 1)]


def typed_calls(plain: Sequence[Mapping[str, Any]], where: str) -> list[Call]:
    """Return the calls in an audit log, checked.

    Args:
        plain: Its lines.
        where: How an error names the file.

    Raises:
        SchedcpError: One is damaged.
    """
    return [_checked(_CALL, call, where, number) for number, call in enumerate(plain, 1)]


def _checked(adapter: TypeAdapter[Any], plain: Mapping[str, Any], where: str, number: int) -> Any:
    try:
        return adapter.validate_python(plain)
    except ValidationError as error:
        raise SchedcpError(f"{where}: line {number} is damaged: {first_fault(error)}") from None


def measurement_of(line: TrialLine) -> Measurement:
    """Return the measurement in a record's line.

    Raises:
        ValueError: It is none.
    """
    measured: Measurement = _MEASUREMENT.validate_python({**line["measurement"], **line["host"]})
    return measured


def is_trial(line: TrialLine) -> bool:
    """Return whether a line is of something that was run: an action that stands for no policy is not."""
    return bool(line["measurement"]["trial"])
