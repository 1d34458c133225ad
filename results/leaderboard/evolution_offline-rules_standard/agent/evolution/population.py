"""Who lives where: the archive of all that was measured, islands of those that work, selection, migration.

Nothing here measures or asks; all chance comes from a generator that is handed in.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from pydantic import ConfigDict, Field, field_validator
from pydantic.dataclasses import dataclass as checked

from schedcp_gym.spec import source_sha256
from schedcp_gym.spec.digest import digest

#: Characters of a key that name a member in notes and prompts.
KEY_CHARS = 12
Values = Mapping[str, int | bool | str]


@checked(frozen=True, config=ConfigDict(extra="forbid"))
class Genome:
    """What a member is made of, and what a child inherits.

    Attributes:
        source: BPF C; it ends with one newline, so that how it was copied makes no other genome of it.
        tunables: Values by name; defaults are left out.
    """

    source: str
    tunables: dict[str, int | bool | str] = Field(default_factory=dict)

    @field_validator("source")
    @classmethod
    def _end(cls, source: str) -> str:
        return source.rstrip() + "\n"

    @property
    def key(self) -> str:
        """What the archive knows it by: its source's digest, and the values' digest where there are any."""
        source = source_sha256(self.source)[:KEY_CHARS]
        return f"{source}-{digest(self.tunables)[:KEY_CHARS]}" if self.tunables else source


@dataclass(frozen=True)
class Member:
    """A genome that was measured.

    Attributes:
        genome: Its source and values.
        reward: Log of the improvement over EEVDF.
        outcome: How its trial ended.
        metrics: By name; empty where it did not end well.
        evidence: Why it did not end well; else empty.
    """

    genome: Genome
    reward: float
    outcome: str = "ok"
    metrics: Mapping[str, float] | None = None
    evidence: str = ""

    @property
    def key(self) -> str:
        """Its genome's."""
        return self.genome.key

    @property
    def is_alive(self) -> bool:
        """Whether it may have children: it ran to its end."""
        return self.outcome == "ok"


class Archive:
    """All that was measured, by key: nothing is measured twice."""

    def __init__(self) -> None:
        """It is empty."""
        self._members: dict[str, Member] = {}

    def __contains__(self, key: object) -> bool:
        """Whether a genome of this key was measured."""
        return key in self._members

    def __getitem__(self, key: str) -> Member:
        """The member of a key."""
        return self._members[key]

    def __len__(self) -> int:
        """How many were measured."""
        return len(self._members)

    def __iter__(self) -> Iterator[Member]:
        """In the order in which they were measured."""
        return iter(self._members.values())

    def add(self, member: Member) -> None:
        """Keeps a member; the first of a key stays."""
        self._members.setdefault(member.key, member)


class Island:
    """A population that breeds by itself: the best that live there, and the last that failed."""

    def __init__(self, capacity: int) -> None:
        """It is empty.

        Args:
            capacity: Members that can live here; who is worse than so many others dies out.
        """
        self.capacity = capacity
        self.living: list[Member] = []
        self.failed: list[Member] = []

    @property
    def best(self) -> Member | None:
        """The fittest; None if nobody lives here."""
        return self.living[0] if self.living else None

    def settle(self, member: Member) -> None:
        """Takes a member in; one that failed is remembered, so that its fault can be told."""
        if not member.is_alive:
            self.failed = [*(other for other in self.failed if other.key != member.key), member][-self.capacity :]
        elif all(other.key != member.key for other in self.living):
            # Of equals the shorter source comes first, then the older member: the sort is stable.
            ranked = sorted([*self.living, member], key=lambda one: (-one.reward, len(one.genome.source)))
            self.living = ranked[: self.capacity]

    def parents(self, number: int, temperature: float, rng: np.random.Generator) -> list[Member]:
        """Draws parents, the fittest last: fitter ones likelier, by a softmax of rewards; nobody twice.

        Args:
            number: How many at most.
            temperature: In units of the reward; near 0 only the fittest breed, when large all alike.
            rng: The chance.
        """
        if not self.living:
            return []
        rewards = np.array([member.reward for member in self.living])
        weights = np.exp((rewards - rewards.max()) / temperature)
        # Whoever is far behind still has a chance that is not zero, as choice() without replacement demands.
        weights = np.maximum(weights, 1e-9)
        size = min(number, len(self.living))
        drawn = rng.choice(len(self.living), size=size, replace=False, p=weights / weights.sum())
        return [self.living[place] for place in sorted(drawn, reverse=True)]


def migrate(islands: Sequence[Island]) -> list[tuple[int, int, Member]]:
    """The best of each island goes to the next one too, in a ring, all at the same moment.

    Returns:
        Who went, as (from, to, member); those that lived there already are left out.
    """
    travellers = [(place, (place + 1) % len(islands), island.best) for place, island in enumerate(islands)]
    moved = []
    for origin, target, member in travellers:
        if member and origin != target and all(other.key != member.key for other in islands[target].living):
            islands[target].settle(member)
            moved.append((origin, target, member))
    return moved
