"""Compare the costs of the cache model under EEVDF and under the best policy, by process name."""

import math
from collections.abc import Sequence
from dataclasses import dataclass

from schedcp_gym.report.found import Found
from schedcp_gym.run.lines import TrialLine, measurement_of
from schedcp_gym.spec import Measurement
from schedcp_gym.spec.cache_costs import CAUSES, MOVES, charged_s, total_costs

#: Most process names with rows of their own, and the least CPU time that such a name lost. The sums have all names.
NAMES, LEAST_S = 8, 5e-5
EEVDF = "EEVDF"
ALL = "all"


@dataclass(frozen=True)
class CacheRow:
    """The costs of one process name under one policy, as means over the measured seeds.

    Attributes:
        name: The process name, or ``all``.
        policy: The policy's name.
        charged_ms: CPU time lost for all causes, in milliseconds.
        costs_ms: CPU time lost for each cause of :attr:`CacheCosts.causes`, in milliseconds.
        switches: How often a task was given a CPU.
        moves: Number of moves of each kind of :attr:`CacheCosts.moves`.
    """

    name: str
    policy: str
    charged_ms: float
    costs_ms: tuple[float, ...]
    switches: float
    moves: tuple[float, ...]


@dataclass(frozen=True)
class CacheCosts:
    """A table of costs; causes and kinds of moves that never occurred have no column.

    Attributes:
        seeds: Number of held-out seeds; 0 if the figures are from the search.
        causes: Names of the causes.
        moves: Names of what tasks moved between.
        rows: EEVDF's row and the best policy's row, for each process name.
        shares: Share of the tasks' CPU time that was lost, under EEVDF and under the best policy; None if the CPU time
            is not known.
    """

    seeds: int
    causes: tuple[str, ...]
    moves: tuple[str, ...]
    rows: tuple[CacheRow, ...]
    shares: tuple[float, float] | None


def cache_costs(found: Found) -> CacheCosts | None:
    """Return the cache costs of EEVDF and of a run's best policy.

    The costs are means over the pairs of held-out seeds in which both ran to their end. If there are none yet, they are
    those of the search: the baseline's, and the best evaluation's.

    Args:
        found: The run.

    Returns:
        The table; None if no policy ran to its end, or on a machine without a cache model.
    """
    pairs: Sequence[tuple[TrialLine, TrialLine]] = [pair for pair in found.pairs() if pair[1]["outcome"] == "ok"]
    seeds = len(pairs)
    if not pairs and found.best is not None:
        pairs = [(line, found.best) for line in found.run.record if line["kind"] == "baseline"][:1]
    sides = [[measurement_of(pair[side]) for pair in pairs] for side in (0, 1)]
    means = [_mean_costs(side) for side in sides]
    if found.best is None or not all(means):
        return None
    totals = [total_costs(mean) for mean in means]
    causes = [cause for cause in CAUSES if any(total[cause] for total in totals)]
    moves = [move for move in MOVES if any(total[move] for total in totals)]
    lost_s = {name: max(charged_s(mean.get(name, {})) for mean in means) for mean in means for name in mean}
    names = sorted((name for name in lost_s if lost_s[name] >= LEAST_S), key=lambda name: (-lost_s[name], name))
    rows = []
    for name in (ALL, *names[:NAMES]):
        for policy, mean, total in zip((EEVDF, found.best["policy"]), means, totals, strict=True):
            costs = total if name == ALL else mean.get(name, {})
            costs_ms = tuple(1e3 * costs.get(cause, 0.0) for cause in causes)
            moved = tuple(costs.get(move, 0.0) for move in moves)
            rows.append(CacheRow(name, policy, 1e3 * charged_s(costs), costs_ms, costs.get("switches", 0.0), moved))
    spent = [math.fsum(math.fsum(one.cpu_s_by_name.values()) for one in side) / len(side) for side in sides]
    shares = (charged_s(totals[0]) / spent[0], charged_s(totals[1]) / spent[1]) if all(spent) else None
    headings = (tuple(CAUSES[cause] for cause in causes), tuple(MOVES[move] for move in moves))
    return CacheCosts(seeds, *headings, tuple(rows), shares)


def _mean_costs(measured: Sequence[Measurement]) -> dict[str, dict[str, float]]:
    """Return the mean costs by process name. A name that a measurement does not have costs nothing there."""
    names = {name for one in measured for name in one.caches}
    return {
        name: {
            key: math.fsum(one.caches.get(name, {}).get(key, 0.0) for one in measured) / len(measured)
            for key in (*CAUSES, "switches", *MOVES)
        }
        for name in names
    }
