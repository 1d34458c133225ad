"""Plan: a list of trials in, groups of trials to carry out and the places of their measurements out."""

from collections.abc import Sequence
from dataclasses import dataclass

from schedcp_gym.spec import Measurement, Trial

#: Trials that run one after the other in one place.
Group = tuple[Trial, ...]


@dataclass(frozen=True)
class Plan:
    """Different trials, each in a group of its own, and where their measurements belong.

    Attributes:
        groups: One group for each different trial.
        places: For each group, the indices of the equal trials that were asked for.
    """

    groups: tuple[Group, ...]
    places: tuple[tuple[int, ...], ...]

    @classmethod
    def of(cls, trials: Sequence[Trial]) -> "Plan":
        """Return the plan that measures each of several equal trials once."""
        places: dict[str, list[int]] = {}
        for index, trial in enumerate(trials):
            places.setdefault(trial.digest, []).append(index)
        return cls(tuple((trials[at[0]],) for at in places.values()), tuple(map(tuple, places.values())))

    def in_order(self, measured: Sequence[tuple[Measurement, ...]]) -> list[Measurement]:
        """Return the groups' measurements in the order of the trials that were asked for."""
        by_index = {index: found[0] for places, found in zip(self.places, measured, strict=True) for index in places}
        return [by_index[index] for index in range(len(by_index))]
