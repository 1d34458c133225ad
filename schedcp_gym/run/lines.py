"""Types of the lines that a run writes: measurements and notes of the record, and calls of the tools' audit log.

A line is a dictionary, as in the file. Its known fields are checked when it is read. Unknown fields, which a later
version may have written, are kept.
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
    """Fields of a measurement that are used by name. :func:`measurement_of` reads all fields."""

    trial: str
    outcome: str
    metrics: dict[str, float]
    utilisation: float | None
    job_s: float | None
    digests: dict[str, str]


@with_config(_OPEN)
class Host(TypedDict):
    """Fields of a measurement that depend on the host."""

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
    """EEVDF's measurement at the start of an episode of the search."""

    kind: Literal["baseline"]
    episode: int
    step: int


@with_config(_OPEN)
class Evaluation(_Trial):
    """A policy that the search measured; ``llm`` is the usage of language models up to then."""

    kind: Literal["evaluation"]
    episode: int
    step: int
    llm: NotRequired[dict[str, Any] | None]


class Chosen(Evaluation):
    """The evaluation of a run's best policy; ``verified`` is present if the agent uses the verifier."""

    verified: NotRequired[bool]


@with_config(_OPEN)
class HeldOutTrial(_Trial):
    """A measurement of the test on held-out seeds."""

    kind: Literal["heldout"]


@with_config(_OPEN)
class Note(TypedDict):
    """A note of an agent; further fields depend on the agent."""

    kind: Literal["note"]
    chosen: NotRequired[dict[str, Any] | None]
    ended: NotRequired[str]


@with_config(_OPEN)
class AuditedCall(TypedDict):
    """A call of a tool in the audit log."""

    kind: Literal["call"]
    tool: str
    arguments: dict[str, Any]
    is_error: bool
    text: str
    data: dict[str, Any]
    evaluation: NotRequired[int | None]


#: A measurement in a record; and any line of a record.
TrialLine = Baseline | Evaluation | HeldOutTrial
Line = Annotated[TrialLine | Note, Discriminator("kind")]
_LINE: TypeAdapter[Line] = TypeAdapter(Line)
_CALL: TypeAdapter[AuditedCall] = TypeAdapter(AuditedCall)
_MEASUREMENT = TypeAdapter(Measurement)


def line_of(plain: Mapping[str, Any]) -> Line:
    """Check a line of a record, and return it.

    Raises:
        ValueError: It is not such a line.
    """
    return _LINE.validate_python(plain)


def typed_lines(plain: Sequence[Mapping[str, Any]], where: str) -> list[Line]:
    """Check the lines of a record, and return them.

    Args:
        plain: The lines.
        where: Name of the record in error messages.

    Raises:
        SchedcpError: A line is damaged.
    """
    return [_checked(_LINE, line, where, number) for number, line in enumerate(plain, 1)]


def typed_calls(plain: Sequence[Mapping[str, Any]], where: str) -> list[AuditedCall]:
    """Check the lines of an audit log, and return its calls.

    Args:
        plain: The lines.
        where: Name of the file in error messages.

    Raises:
        SchedcpError: A line is damaged.
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
        ValueError: The line has no valid measurement.
    """
    measured: Measurement = _MEASUREMENT.validate_python({**line["measurement"], **line["host"]})
    return measured


def is_trial(line: TrialLine) -> bool:
    """Return whether a line records something that ran. An action without a policy does not run."""
    return bool(line["measurement"]["trial"])
