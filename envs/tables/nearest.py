"""The recorded configuration that is nearest to a policy."""

from collections.abc import Sequence
from typing import Any

import numpy as np

from schedcp_gym.envs.choice import Choice, share_of
from schedcp_gym.spec import Policy, TunableType

#: Least distance of two different names. The two ends of a range, or false and true, have distance 1.
OTHER_NAME = 0.5


class Nearest:
    """Finds the nearest of the configurations that were recorded with one workload seed.

    Only configurations of the same policy count. The distance is Gower's for mixed variables ("A general coefficient of
    similarity and some of its properties", Biometrics 27, 1971): the mean over the policy's tunables of

    * for a number, the difference in shares of its range, on the tunable's declared scale;
    * for a bool, 0 or 1;
    * for a text, 0 if both names have the same rank by CPU time under EEVDF, 1 if one is empty, else 0.5 to 1 by
      difference in rank. The beginning of a name has the rank of the first name with this beginning. A text that no
      name begins with counts as empty.

    Of several equally near configurations the first recorded one counts.
    """

    def __init__(self, choices: Sequence[Choice], recorded: Sequence[Policy], names: Sequence[str]) -> None:
        """Prepare the coordinates of the recorded configurations.

        Args:
            choices: The catalogue.
            recorded: The configurations.
            names: Process names under EEVDF, in order of CPU time.
        """
        self._names = list(names)
        self._count = max(len(names), 1)
        self._choices = {choice.name: choice for choice in choices}
        self._texts = {choice.name: _mask(choice) for choice in choices}
        self._places: dict[str, list[int]] = {}
        for place, policy in enumerate(recorded):
            self._places.setdefault(policy.name, []).append(place)
        self._points = {
            name: np.array([self._coordinates(recorded[place]) for place in places], np.float64)
            for name, places in self._places.items()
            if name in self._choices
        }

    def find(self, policy: Policy) -> tuple[int, float]:
        """Return the index of the nearest recorded configuration, and its distance (0 to 1)."""
        points, places = self._points[policy.name], self._places[policy.name]
        if points.shape[1] == 0:
            return places[0], 0.0
        asked = np.array(self._coordinates(policy), np.float64)
        apart = np.abs(points - asked)
        texts = self._texts[policy.name]
        if texts.any():
            apart[:, texts] = self._between_names(points[:, texts], asked[texts])
        distances = apart.mean(axis=1)
        nearest = int(distances.argmin())
        return places[nearest], float(distances[nearest])

    def _between_names(self, points: Any, asked: Any) -> Any:
        further = OTHER_NAME + (1 - OTHER_NAME) * np.abs(points - asked) / self._count
        return np.where(points == asked, 0.0, np.where((points == 0) | (asked == 0), 1.0, further))

    def _coordinates(self, policy: Policy) -> list[float]:
        values = dict(policy.tunables)
        found = []
        for tunable in self._choices[policy.name].tunables:
            value = values.get(tunable.name, tunable.default)
            if tunable.type is TunableType.TEXT:
                found.append(float(self._rank(str(value))))
            elif tunable.type is not TunableType.CGROUP:
                found.append(share_of(tunable, value))
        return found

    def _rank(self, text: str) -> int:
        """Return the rank, from 1, of the first name by CPU time that begins with the text; 0 if there is none."""
        if not text:
            return 0
        if text in self._names:
            return 1 + self._names.index(text)
        return next((1 + place for place, name in enumerate(self._names) if name.startswith(text)), 0)


def _mask(choice: Choice) -> Any:
    kinds = [tunable.type for tunable in choice.tunables if tunable.type is not TunableType.CGROUP]
    return np.array([kind is TunableType.TEXT for kind in kinds], bool)
