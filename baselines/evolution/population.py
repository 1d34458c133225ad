"""The archive of all measured genomes, islands with their members, selection and migration.

Nothing here measures or asks a model. All random numbers come from a generator that the caller passes.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from pydantic import ConfigDict, Field, field_validator
from pydantic.dataclasses import dataclass as checked

from schedcp_gym.spec import source_sha256
from schedcp_gym.spec.digest import digest
from schedcp_gym.spec.policy import Value

#: Characters of a key.
KEY_CHARS = 12


@checked(frozen=True, config=ConfigDict(extra="forbid"))
class Genome:
    """A source with values for its tunables.

    Attributes:
        source: BPF C; it ends with one newline, so that a copy with other white space at the end is the same genome.
        tunables: Values by name; defaults are left out.
    """

    source: str
    tunables: dict[str, Value] = Field(default_factory=dict)

    @field_validator("source")
    @classmethod
    def _end(cls, source: str) -> str:
        return source.rstrip() + "\n"

    @property
    def key(self) -> str:
        """The key in the archive: the source's digest, and the values' digest if there are values."""
        source = source_sha256(self.source)[:KEY_CHARS]
        return f"{source}-{digest(self.tunables)[:KEY_CHARS]}" if self.tunables else source


@dataclass(frozen=True)
class Member:
    """A genome that was measured.

    Attributes:
        genome: Its source and values.
        reward: Log of the improvement over EEVDF.
        outcome: How its trial ended.
        metrics: Metrics by name; None where the trial failed.
        evidence: Why the trial failed; else empty.
    """

    genome: Genome
    reward: float
    outcome: str = "ok"
    metrics: Mapping[str, float] | None = None
    evidence: str = ""

    @property
    def key(self) -> str:
        """The genome's key."""
        return self.genome.key

    @property
    def is_alive(self) -> bool:
        """Return whether it may have children: its trial was ok."""
        return self.outcome == "ok"


class Archive:
    """All measured members, by key. Nothing is measured twice."""

    def __init__(self) -> None:
        """Create an empty archive."""
        self._members: dict[str, Member] = {}

    def __contains__(self, key: object) -> bool:
        """Return whether a genome of this key was measured."""
        return key in self._members

    def __getitem__(self, key: str) -> Member:
        """Return the member of a key."""
        return self._members[key]

    def __len__(self) -> int:
        """Return the number of members."""
        return len(self._members)

    def __iter__(self) -> Iterator[Member]:
        """Iterate over the members in the order of their measurements."""
        return iter(self._members.values())

    def add(self, member: Member) -> None:
        """Add a member; the first one of a key stays."""
        self._members.setdefault(member.key, member)


class Island:
    """A separate population: its best members, and the last ones that failed."""

    def __init__(self, capacity: int) -> None:
        """Create an empty island.

        Args:
            capacity: Limit of the members; the least fit ones are removed.
        """
        self.capacity = capacity
        self.living: list[Member] = []
        self.failed: list[Member] = []

    @property
    def best(self) -> Member | None:
        """The fittest member; None if there is none."""
        return self.living[0] if self.living else None

    def settle(self, member: Member) -> None:
        """Add a member; one that failed is kept apart, for its error lines."""
        if not member.is_alive:
            self.failed = [*(other for other in self.failed if other.key != member.key), member][-self.capacity :]
        elif all(other.key != member.key for other in self.living):
            # Of equals the shorter source comes first, then the older member: the sort is stable.
            ranked = sorted([*self.living, member], key=lambda one: (-one.reward, len(one.genome.source)))
            self.living = ranked[: self.capacity]

    def parents(self, number: int, temperature: float, rng: np.random.Generator) -> list[Member]:
        """Draw different parents by a softmax of the rewards, and return them with the fittest last.

        Args:
            number: Limit of parents.
            temperature: In units of the reward; near 0 only the fittest is drawn, at a large one all alike.
            rng: The random number generator.
        """
        if not self.living:
            return []
        rewards = np.array([member.reward for member in self.living])
        weights = np.exp((rewards - rewards.max()) / temperature)
        # choice() without replacement needs probabilities above zero.
        weights = np.maximum(weights, 1e-9)
        size = min(number, len(self.living))
        drawn = rng.choice(len(self.living), size=size, replace=False, p=weights / weights.sum())
        return [self.living[place] for place in sorted(drawn, reverse=True)]


def migrate(islands: Sequence[Island]) -> list[tuple[int, int, Member]]:
    """Copy the best member of each island to the next one in a ring, all at the same moment.

    Returns:
        The copies as (from, to, member), without members that were already there.
    """
    travellers = [(place, (place + 1) % len(islands), island.best) for place, island in enumerate(islands)]
    moved = []
    for origin, target, member in travellers:
        if member and origin != target and all(other.key != member.key for other in islands[target].living):
            islands[target].settle(member)
            moved.append((origin, target, member))
    return moved
