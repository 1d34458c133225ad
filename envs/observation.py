"""Observations: fixed spaces and finite numbers, made from measurements."""

import math
from typing import Any

import numpy as np
from gymnasium import spaces

from schedcp_gym.spec import REWARD_LIMIT, Measurement, Outcome, Workload, improvement
from schedcp_gym.spec.policy import TEXT_CHARSET, TEXT_MAX

#: Scheduler events in the observation, by the kernel's names (scx_events). Others are in ``info`` only. A change of
#: this list changes the observation space, so the version of the environments' ids must be raised with it.
EVENTS = (
    "SCX_EV_SELECT_CPU_FALLBACK",
    "SCX_EV_DISPATCH_LOCAL_DSQ_OFFLINE",
    "SCX_EV_DISPATCH_KEEP_LAST",
    "SCX_EV_ENQ_SKIP_EXITING",
    "SCX_EV_ENQ_SKIP_MIGRATION_DISABLED",
    "SCX_EV_REENQ_IMMED",
    "SCX_EV_REENQ_REPEAT",
    "SCX_EV_REFILL_SLICE_DFL",
    "SCX_EV_SLICE_CLAMPED",
    "SCX_EV_SLICE_DENIED",
    "SCX_EV_BYPASS_DURATION",
    "SCX_EV_BYPASS_DISPATCH",
    "SCX_EV_BYPASS_ACTIVATE",
    "SCX_EV_INSERT_NOT_OWNED",
)
#: Upper limit of log1p of a 63-bit counter.
EVENT_LIMIT = 44.0
#: Number of process names in ``cpu_shares``, those with most CPU time.
TOP_PROCESSES = 8
OUTCOMES = tuple(Outcome)


def observation_space(workload: Workload) -> spaces.Dict:
    """Return the observation space of a workload's environments; see :class:`~schedcp_gym.envs.tune.TuneEnv`."""

    def box(low: float, high: float, size: int) -> spaces.Box:
        return spaces.Box(low, high, shape=(size,), dtype=np.float32)

    return spaces.Dict(
        {
            "metrics": box(-REWARD_LIMIT, REWARD_LIMIT, len(workload.metrics)),
            "events": box(0, EVENT_LIMIT, len(EVENTS)),
            "utilisation": box(0, 1, 1),
            "cpu_shares": box(0, 1, TOP_PROCESSES),
            "outcome": spaces.Discrete(len(OUTCOMES)),
            "best_reward": box(-REWARD_LIMIT, REWARD_LIMIT, 1),
            "steps_left": box(0, 1, 1),
        }
    )


def observe(
    workload: Workload, measured: Measurement, baseline: Measurement, best_reward: float, steps_left: float
) -> dict[str, Any]:
    """Return the observation after a measurement.

    Args:
        workload: The task's workload.
        measured: The last measurement.
        baseline: EEVDF's measurement with the same seed.
        best_reward: Best reward of the episode so far.
        steps_left: Remaining share of the episode's steps, 0 to 1.

    Returns:
        An element of :func:`observation_space`: all numbers are finite, and clipped to the space.
    """
    parts = log_improvements(workload, measured, baseline)
    metrics = [parts.get(name, -REWARD_LIMIT) for name in sorted(workload.metrics)]
    events = [math.log1p(max(0, measured.events.get(name, 0))) for name in EVENTS]
    return {
        "metrics": _numbers(metrics, -REWARD_LIMIT, REWARD_LIMIT),
        "events": _numbers(events, 0, EVENT_LIMIT),
        "utilisation": _numbers([measured.utilisation or 0.0], 0, 1),
        "cpu_shares": _numbers(_cpu_shares(measured), 0, 1),
        "outcome": np.int64(OUTCOMES.index(measured.outcome)),
        "best_reward": _numbers([best_reward], -REWARD_LIMIT, REWARD_LIMIT),
        "steps_left": _numbers([steps_left], 0, 1),
    }


def log_improvements(workload: Workload, measured: Measurement, baseline: Measurement) -> dict[str, float]:
    """Return the log improvement ratio of each metric: above 0 is better than EEVDF. Empty unless ``ok``."""
    if not measured.ok:
        return {}
    return {
        name: math.log(improvement(workload, name, measured.metrics[name], baseline.metrics[name]))
        for name in sorted(workload.metrics)
    }


def processes(measured: Measurement) -> dict[str, float]:
    """Return CPU seconds by process name, the largest first, so that the order means the same under every seed."""
    return dict(sorted(measured.cpu_s_by_name.items(), key=lambda item: (-item[1], item[0])))


def nameable(measured: Measurement) -> list[str]:
    """Return the process names that a text tunable can have, in order of CPU time, cut at characters it can't have."""
    names = []
    for name in processes(measured):
        length = next((place for place, letter in enumerate(name) if letter not in TEXT_CHARSET), len(name))
        names.append(name[: min(length, TEXT_MAX)])
    return [name for name in dict.fromkeys(names) if name]


def _cpu_shares(measured: Measurement) -> list[float]:
    total = sum(measured.cpu_s_by_name.values())
    shares = [spent / total for spent in processes(measured).values()] if total > 0 else []
    return (shares + [0.0] * TOP_PROCESSES)[:TOP_PROCESSES]


def _numbers(values: list[float], low: float, high: float) -> np.ndarray[Any, np.dtype[np.float32]]:
    return np.clip(np.asarray(values, dtype=np.float32), np.float32(low), np.float32(high))
