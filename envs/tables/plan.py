"""The configurations of a table: each policy's defaults, and quasi-random points over its tunables."""

import math
from collections.abc import Sequence
from dataclasses import dataclass

from schedcp_gym.envs.choice import Choice, share_of, value_at
from schedcp_gym.spec import BadInput, Policy, Tunable, TunableType
from schedcp_gym.spec.digest import digest
from schedcp_gym.spec.policy import Value


@dataclass(frozen=True)
class Planned:
    """A configuration to record. It means the same under every workload seed.

    Attributes:
        choice: The policy.
        shares: For each tunable, in order of declaration: where its value lies in its range, 0 to 1; None for the
            default. The range of a text is divided into equal parts: the empty text, then the names by CPU time.
        leading: The text tunable with the name with most CPU time; empty if there is none.
    """

    choice: Choice
    shares: tuple[float | None, ...]
    leading: str = ""

    def policy(self, names: Sequence[str]) -> Policy:
        """Return the policy under a workload seed.

        Args:
            names: Process names seen under EEVDF with this seed, in order of CPU time.
        """
        texts = ["", *names]
        values: dict[str, object] = {}
        for tunable, share in zip(self.choice.tunables, self.shares, strict=True):
            if tunable.type is TunableType.CGROUP:
                continue  # a flat action can't name a cgroup either
            values[tunable.name] = _value(tunable, share, texts, leads=tunable.name == self.leading)
        return self.choice.policy(values)


def _value(tunable: Tunable, share: float | None, texts: Sequence[str], *, leads: bool) -> Value:
    if tunable.type is TunableType.TEXT:
        if leads:
            return texts[min(1, len(texts) - 1)]
        return "" if share is None else texts[min(int(share * len(texts)), len(texts) - 1)]
    # A default is rounded to a value that a flat action can have too.
    return value_at(tunable, share_of(tunable, tunable.default) if share is None else share)


def plan(choices: Sequence[Choice], points: int) -> list[Planned]:
    """Return the configurations of a table. A larger plan contains the smaller ones.

    Every policy is planned at its defaults. It is also planned with the process with most CPU time in each of its text
    tunables. The rest are Sobol points (Sobol 1967; scrambled by Matousek 1998). A policy's part of them is
    proportional to its number of tunables plus one: actions choose all policies equally often, but those with many
    tunables have larger spaces.

    Args:
        choices: The catalogue.
        points: Number of configurations, EEVDF's included.

    Raises:
        BadInput: There are too few points for the defaults of every policy.
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


def _fixed(choice: Choice) -> list[Planned]:
    defaults: tuple[None, ...] = (None,) * len(choice.tunables)
    named = [tunable.name for tunable in choice.tunables if tunable.type is TunableType.TEXT]
    return [Planned(choice, defaults, leading) for leading in ["", *named]]


def _free(choice: Choice) -> list[int]:
    """Return the indices of the tunables that a flat action sets."""
    return [place for place, tunable in enumerate(choice.tunables) if tunable.type is not TunableType.CGROUP]


def _shared_out(total: int, weights: dict[str, int]) -> dict[str, int]:
    """Divide a total into whole parts by weight.

    Each unit goes to the name that is furthest behind its weight (the method of Jefferson and D'Hondt). With this
    method no part shrinks when the total grows (Balinski and Young, "Fair Representation", 1982); with rounding it may.
    """
    parts = dict.fromkeys(weights, 0)
    if any(weights.values()):
        for _ in range(total):
            neediest = max(weights, key=lambda name: weights[name] / (parts[name] + 1))
            parts[neediest] += 1
    return parts


def _quasi_random(choice: Choice, count: int) -> list[Planned]:
    free = _free(choice)
    if not free or not count:
        return []
    from scipy.stats import qmc

    # The sequence is balanced for powers of two. Its beginning is the same for every length.
    start = int(digest(["table", choice.name])[:8], 16)
    sampler = qmc.Sobol(len(free), scramble=True, seed=start)
    numbers = sampler.random_base2(math.ceil(math.log2(count)))[:count]
    found = []
    for row in numbers.tolist():
        shares: list[float | None] = [None] * len(choice.tunables)
        for place, share in zip(free, row, strict=True):
            shares[place] = share
        found.append(Planned(choice, tuple(shares)))
    return found
