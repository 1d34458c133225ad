"""The costs that the cache model charged, in words. They show why a policy that moves tasks may lose."""

from collections.abc import Mapping

#: Causes, in the order of the text: key of a cost → its name.
CAUSES = {
    "cold_l2_s": "cold L2",
    "cold_llc_s": "cold LLC",
    "handoff_s": "hand-offs",
    "smt_s": "busy sibling",
    "remote_s": "remote memory",
}
#: Moves: key of a number → its name.
MOVES = {"core_moves": "cores", "llc_moves": "LLCs", "node_moves": "nodes"}


def charged_s(costs: Mapping[str, float]) -> float:
    """Return the CPU seconds that tasks with one process name were charged, for all causes together."""
    return sum(costs.get(cause, 0.0) for cause in CAUSES)


def total_costs(caches: Mapping[str, Mapping[str, float]]) -> dict[str, float]:
    """Return the sums of costs (CPU seconds), switches and moves over all process names."""
    return {key: sum(costs.get(key, 0.0) for costs in caches.values()) for key in (*CAUSES, "switches", *MOVES)}


def cost_lines(caches: Mapping[str, Mapping[str, float]], most: int = 3) -> list[str]:
    """Return a line for each of the process names with the highest charges.

    Args:
        caches: ``Measurement.caches``.
        most: Largest number of lines.

    Returns:
        Lines such as ``worker: 121.5 ms charged (cold L2 31.6, cold LLC 89.9); given a CPU 7,111 times, moves: 6,240
        between cores, 3,567 between LLCs``. Empty without a cache model.
    """
    ranked = sorted(caches.items(), key=lambda item: (-charged_s(item[1]), item[0]))
    return [f"{name}: {_words(costs)}" for name, costs in ranked[:most] if charged_s(costs)]


def _words(costs: Mapping[str, float]) -> str:
    parts = [f"{called} {1e3 * costs[cause]:.1f}" for cause, called in CAUSES.items() if costs.get(cause)]
    moved = [f"{costs[move]:,.0f} between {called}" for move, called in MOVES.items() if costs.get(move)]
    text = f"{1e3 * charged_s(costs):.1f} ms charged ({', '.join(parts)})"
    return f"{text}; given a CPU {costs.get('switches', 0):,.0f} times" + (
        f", moves: {', '.join(moved)}" if moved else ""
    )
