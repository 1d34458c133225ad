"""The form of a rule for sources."""

from collections.abc import Callable, Iterable
from dataclasses import dataclass

from schedcp_gym.control.verifier.report import Finding, Severity
from schedcp_gym.control.verifier.source.flow import Flow


@dataclass(frozen=True)
class Hit:
    """Where a rule strikes.

    Attributes:
        line: Line of the policy's source; None for the whole.
        what: What is there, in words for this policy.
        severity: When it is not the rule's own.
    """

    line: int | None
    what: str
    severity: Severity | None = None


@dataclass(frozen=True)
class Rule:
    """A check on a parsed policy; its module's docstring is its documentation.

    Attributes:
        id: Its name.
        why: What it leads to.
        fix: What to do about it.
        check: Finds the places.
        severity: Whether a hit fails the stage.
    """

    id: str
    why: str
    fix: str
    check: Callable[[Flow], Iterable[Hit]]
    severity: Severity = Severity.ERROR

    def findings(self, flow: Flow) -> list[Finding]:
        """Return the rule's findings for a policy, each line once."""
        hits = {(hit.line, hit.severity): hit for hit in reversed(list(self.check(flow)))}
        return [
            Finding(self.id, hit.line, f"{hit.what}: {self.why}", self.fix, hit.severity or self.severity)
            for hit in sorted(hits.values(), key=lambda hit: hit.line or 0)
        ]
