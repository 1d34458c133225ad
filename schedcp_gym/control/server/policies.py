"""Policies in tools' arguments: a policy of the repository, a draft, or a source. A path of the host is never one."""

import hashlib
import threading
from collections import OrderedDict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from schedcp_gym.control.repository import PolicyRecord, Repository
from schedcp_gym.lab import catalogue
from schedcp_gym.lab.compiler import CompileError
from schedcp_gym.spec import EEVDF, BadInput, Policy, Tunable, check_tunables
from schedcp_gym.spec.policy import Value

DRAFT = "draft-"
#: Limit of remembered drafts; the oldest are forgotten.
DRAFTS = 500


@dataclass(frozen=True)
class Edit:
    """An edit of a source.

    Attributes:
        old: A piece of the source that occurs exactly once.
        new: Its replacement.
    """

    old: str
    new: str


class Policies:
    """The policies that tools can name. Safe to share between threads."""

    def __init__(self, repository: Repository) -> None:
        self.repository = repository
        self._drafts: OrderedDict[str, str] = OrderedDict()
        self._lock = threading.Lock()

    def resolve(
        self, policy: str | None = None, source: str | None = None, tunables: Mapping[str, Value] | None = None
    ) -> Policy:
        """Return the policy that arguments stand for, with values for its tunables.

        Args:
            policy: A name or id of the repository, a draft's id, or ``eevdf``.
            source: BPF C instead; it becomes a draft.
            tunables: Values to set, in addition to those that the repository keeps for the policy.

        Raises:
            BadInput: Both or neither are given; there is no such policy; a tunable is wrong; the source is not text.
        """
        if (policy is None) == (source is None):
            raise BadInput("give either `policy` (a name or id) or `source` (BPF C text), and not both")
        values: dict[str, object] = dict(tunables or {})
        if source is not None:
            name = self.remember(source)
            return Policy(name, source, check_tunables(catalogue.tunables_of(source), values))
        assert policy is not None
        if policy == EEVDF:
            return Policy(EEVDF, "", check_tunables((), values))
        if (draft := self._draft(policy)) is not None:
            return Policy(policy, draft, check_tunables(catalogue.tunables_of(draft), values))
        record = self.record(policy)
        declared = catalogue.tunables_of(record.source)
        return Policy(record.name, record.source, check_tunables(declared, {**record.values, **values}))

    def record(self, policy: str) -> PolicyRecord:
        """Return a policy of the repository.

        Raises:
            BadInput: There is none with that name or id.
        """
        if policy.startswith(DRAFT):
            raise BadInput(f"there is no {policy[:80]!r} in this session: submit its source again (submit_policy)")
        try:
            return self.repository.get(policy)
        except BadInput as error:
            head, _, hint = str(error).partition("; ")
            hint = hint if hint.startswith("did you mean") else "list_policies names them; a new one goes in `source`"
            raise BadInput(f"{head}; {hint}") from None

    def known(self, policy: Policy) -> PolicyRecord | None:
        """Return the record that a policy's results belong to: the same source and values, else the same source."""
        if policy.is_eevdf:
            return None
        find = self.repository.find
        return find(policy.source, dict(policy.tunables)) or find(policy.source, {})

    def remember(self, source: str) -> str:
        """Keep a source as a draft, and return the draft's id.

        Raises:
            BadInput: It is empty, or not text.
        """
        if not source.strip():
            raise BadInput("the source is empty: it must be BPF C")
        try:
            encoded = source.encode()
        except UnicodeEncodeError:
            raise BadInput("the source is no text: it has characters that UTF-8 can't encode") from None
        if "\0" in source:
            raise BadInput("the source is no text: it has a NUL character")
        name = DRAFT + hashlib.sha256(encoded).hexdigest()[:12]
        with self._lock:
            self._drafts[name] = source
            self._drafts.move_to_end(name)
            while len(self._drafts) > DRAFTS:
                self._drafts.popitem(last=False)
        return name

    def edited(self, source: str, edits: Sequence[Edit]) -> str:
        """Return a source with edits, made one after the other.

        Raises:
            BadInput: A piece does not occur, or more than once.
        """
        for number, edit in enumerate(edits, 1):
            count = source.count(edit.old) if edit.old else 0
            if count != 1:
                found = "is not in the source" if count == 0 else f"is in the source {count} times"
                remedy = "copy it exactly from get_policy" if count == 0 else "take more of what is around it"
                raise BadInput(f"edit {number}: `old` {found}; it must be there exactly once: {remedy}")
            source = source.replace(edit.old, edit.new)
        return source

    @staticmethod
    def tunables(source: str) -> tuple[Tunable, ...]:
        """Return the tunables that a source declares.

        Raises:
            BadInput: One's default lies outside its range.
        """
        return catalogue.tunables_of(source)

    def _draft(self, name: str) -> str | None:
        with self._lock:
            if name in self._drafts:
                self._drafts.move_to_end(name)
            return self._drafts.get(name)


def compile_fault(error: CompileError) -> BadInput:
    """Return a compiler's error as an argument's error, in a line."""
    return BadInput(f"the source does not compile: {error.first}; submit_policy reports more")
