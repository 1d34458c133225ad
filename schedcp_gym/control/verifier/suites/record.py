"""Verdicts, and the file that keeps them, so that an interrupted suite continues where it stopped."""

import os
from pathlib import Path
from typing import Any

from pydantic import ConfigDict, Field, TypeAdapter, ValidationError
from pydantic.dataclasses import dataclass

from schedcp_gym.control.verifier.report import Stage
from schedcp_gym.control.verifier.suites.cases import Case, Group
from schedcp_gym.files import append_line, whole_lines
from schedcp_gym.lab import Lab
from schedcp_gym.machine.image.inputs import folder_digest
from schedcp_gym.paths import PACKAGE
from schedcp_gym.spec import BadInput, MachineSpec, SchedcpError
from schedcp_gym.spec.digest import digest

ORDER = tuple(Stage)


@dataclass(frozen=True, config=ConfigDict(extra="forbid"))
class Verdict:
    """The verifier's answer to a case.

    Attributes:
        key: Digest of the case, the machine and the verifier.
        name: The case's.
        group: The case's.
        expected: The stage that must catch it, at the latest; None for a good one.
        caught_at: The stage that did.
        infra_fault: Whether the host failed, so that nothing is known about the policy.
        why: The last stage's summary.
        stage_s: Host seconds by stage.
    """

    key: str
    name: str
    group: Group
    expected: Stage | None
    caught_at: Stage | None
    infra_fault: bool = False
    why: str = ""
    stage_s: dict[str, float] = Field(default_factory=dict)

    @property
    def right(self) -> bool:
        """Return whether this is the known answer: a good one passed, a bad one was caught in time."""
        if self.infra_fault:
            return False
        if self.expected is None or self.caught_at is None:
            return self.caught_at is self.expected
        return ORDER.index(self.caught_at) <= ORDER.index(self.expected)


_ADAPTER = TypeAdapter(Verdict)


class Verdicts:
    """A file of JSON lines, one for each verdict; each is on disk before the next."""

    def __init__(self, path: Path) -> None:
        """Open the file, or begin one. A last line that was cut off is removed.

        Raises:
            SchedcpError: A line is damaged.
            BadInput: The file can't be read or written; raised before anything is verified.
        """
        self.path = path
        self._known: dict[str, Verdict] = {}
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            with path.open("a+b") as file:
                file.seek(0)
                content = file.read()
        except OSError as error:
            raise BadInput(f"{path} can't be written ({error.strerror}): give another file with --results") from None
        whole = whole_lines(content)
        for number, line in enumerate(whole.splitlines(), 1):
            try:
                verdict = _ADAPTER.validate_json(line)
            except ValidationError:
                raise SchedcpError(f"{path}: line {number} is damaged; remove the file to start again") from None
            self._known[verdict.key] = verdict
        if whole != content:
            os.truncate(path, len(whole))

    def get(self, key: str) -> Verdict | None:
        """Return the verdict known from before."""
        return self._known.get(key)

    def add(self, verdict: Verdict) -> None:
        """Append a verdict, unless the host failed: that case is to be tried again."""
        if verdict.infra_fault:
            return
        self._known[verdict.key] = verdict
        append_line(self.path, to_plain(verdict))


def to_plain(verdict: Verdict) -> dict[str, Any]:
    """Return a verdict as JSON has it."""
    plain: dict[str, Any] = _ADAPTER.dump_python(verdict, mode="json")
    return plain


def key_of(case: Case, verifier: str) -> str:
    """Return a verdict's key: other sources, labels or verifiers have other verdicts."""
    return digest([case.name, case.group, case.source, case.stage, verifier])


def verifier_digest(lab: Lab, spec: MachineSpec) -> str:
    """Return the digest of all but the case that a verdict follows from: verifier, headers, machine."""
    folders = ("control/verifier", "lab", "bpf/include", "bpf/loader")
    suites = frozenset(path.name for path in Path(__file__).parent.glob("*.py")) - {"__init__.py"}
    parts = {name: folder_digest(PACKAGE / name, suites) for name in folders}
    return digest({**parts, "machine": lab.machine(spec).digest, "spec": spec})
