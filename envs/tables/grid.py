"""What a table is recorded of: each policy's defaults, and quasi-random points over its tunables."""

import math
from collections.abc import Sequence
from dataclasses import dataclass

from schedcp_gym.envs.choice import Choice, share_of, value_at
from schedcp_gym.spec import BadInput, Policy, Tunable, TunableType
from schedcp_gym.spec.digest import digest
from schedcp_gym.spec.policy import Value


@dataclass(frozen=True)
class Point:
    """A configuration to record, the same under every workload seed.

    Attributes:
        choice: The policy.
        shares: Where each of its tunables lies in its range, 0 to 1, in order of declaration; of a name, where the
            empty text and the names by CPU time are cut into equal parts. None: the default.
        leading: The text tunable that is given the name with most CPU time, if one is.
    """

    choice: Choice
    shares: tuple[float | None, ...]
    leading: str = ""

    def policy(self, names: Sequence[str]) -> Policy:
        """The policy under a workload seed.

        Args:
            names: The process names seen under EEVDF with that seed, the one with most CPU time first.
        """
        texts = ["", *names]
        values: dict[str, object] = {}
        for tunable, share in zip(self.choice.tunables, self.shares, strict=True):
            if tunable.type is TunableType.CGROUP:
                continue  # as a flat action, which can't name one
            values[tunable.name] = _value(tunable, share, texts, leads=tunable.name == self.leading)
        return self.choice.policy(values)


def _value(tunable: Tunable, share: float | None, texts: Sequence[str], *, leads: bool) -> Value:
    if tunable.type is TunableType.TEXT:
        if leads:
            return texts[min(1, len(texts) - 1)]
        return "" if share is None else texts[min(int(share * len(texts)), len(texts) - 1)]
    # By way of the share, so that it is a value that a flat action has, too.
    return value_at(tunable, share_of(tunable, tunable.default) if share is None else share)


def plan(choices: Sequence[Choice], points: int) -> list[Point]:
    """The configurations of a table. A plan of more points holds those of fewer.

    Every policy has its defaults, and its defaults with the workload's leading process named in each of its text
    tunables. The rest are Sobol points (Sobol 1967; scrambled by Matousek 1998), shared between the policies that have
    tunables by their number of them and one more: an action chooses each policy as often, but those with many tunables
    have more to be told.

    Args:
        choices: The catalogue.
        points: How many, EEVDF's included.

    Raises:
        BadInput: They are too few for every policy to have its defaults.
    """
    fixed = {choice.name: _fixed(choice) for choice in choices}
    needed = sum(map(len, fixed.values()))
    if points < needed:
        raise BadInput(f"--points must be {needed} or more: every policy is recorded with its defaults")
    sizes = {choice.name: len(_free(choice)) for choice in choices}
    shares = _shared_out(points - needed, {name: size + 1 if size else 0 for name, size in sizes.items()})
    found = []
    for choice in choices:
        found += fixed[choice.name] + _quasi_random(choice, shares[choice.name])
    return found


def _fixed(choice: Choice) -> list[Point]:
    defaults: tuple[None, ...] = (None,) * len(choice.tunables)
    named = [tunable.name for tunable in choice.tunables if tunable.type is TunableType.TEXT]
    return [Point(choice, defaults, leading) for leading in ["", *named]]


def _free(choice: Choice) -> list[int]:
    """Places of the tunables that a flat action sets."""
    return [place for place, tunable in enumerate(choice.tunables) if tunable.type is not TunableType.CGROUP]


def _shared_out(total: int, weights: dict[str, int]) -> dict[str, int]:
    """Whole parts of a total by weight; those of weight 0 get nothing.

    One after the other goes to the most underrepresented (the method of Jefferson and D'Hondt), because then nobody
    gets less when there is more to share out (Balinski and Young, "Fair Representation", 1982), as by rounding.
    """
    parts = dict.fromkeys(weights, 0)
    if any(weights.values()):
        for _ in range(total):
            neediest = max(weights, key=lambda name: weights[name] / (parts[name] + 1))
            parts[neediest] += 1
    return parts


def _quasi_random(choice: Choice, count: int) -> list[Point]:
    free = _free(choice)
    if not free or not count:
        return []
    from scipy.stats import qmc

    # A power of two is what the sequence is balanced for; its beginning is the same for every length.
    start = int(digest(["table", choice.name])[:8], 16)
    sampler = qmc.Sobol(len(free), scramble=True, seed=start)
    numbers = sampler.random_base2(math.ceil(math.log2(count)))[:count]
    found = []
    for row in numbers.tolist():
        shares: list[float | None] = [None] * len(choice.tunables)
        for place, share in zip(free, row, strict=True):
            shares[place] = share
        found.append(Point(choice, tuple(shares)))
    return found
