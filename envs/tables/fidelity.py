"""Measure how near a table is to the real environment: both answer random actions."""

from collections.abc import Sequence
from typing import Any

import numpy as np

from schedcp_gym.envs.choice import Choice, decode_flat, flat_size
from schedcp_gym.envs.tables.answers import Answers
from schedcp_gym.envs.tables.file import Fidelity
from schedcp_gym.spec import Measurement, Objective, Policy, Workload, reward


def draw_policies(
    choices: Sequence[Choice], names: Sequence[str], recorded: Sequence[Policy], count: int, seed: int
) -> list[Policy]:
    """Return different policies of random flat actions, without those that were recorded.

    Args:
        choices: The catalogue.
        names: Process names that a text tunable can have.
        recorded: Left out, because the table is exact there.
        count: Number of policies.
        seed: Of the random draw.
    """
    random, seen = np.random.default_rng(seed), set(recorded)
    found: list[Policy] = []
    while len(found) < count:
        policy = decode_flat(choices, random.uniform(-1, 1, flat_size(choices)), names)
        if policy not in seen:
            seen.add(policy)
            found.append(policy)
    return found


def fidelity_of(
    workload: Workload,
    objective: Objective,
    asked: Sequence[tuple[Answers, Policy, Measurement]],
    draw: int,
) -> Fidelity:
    """Return the fidelity of a table.

    Args:
        workload: The table's workload.
        objective: Objective of the rewards.
        asked: For each policy: the answers for its workload seed, the policy, and its real measurement.
        draw: Seed of the random draw of the policies.
    """
    pairs, errors, equal = [], [], 0
    for answers, policy, measured in asked:
        _, answered, _ = answers.find(policy)
        told, real = (reward(workload, one, answers.baseline, objective) for one in (answered, measured))
        pairs.append((told, real))
        equal += answered.outcome is measured.outcome
        if answered.ok and measured.ok:
            errors.append(abs(np.expm1(told - real)))
    return Fidelity(
        actions=len(asked),
        draw=draw,
        rank_correlation=_spearman(pairs),
        median_error=float(np.median(errors)) if errors else None,
        p90_error=float(np.quantile(errors, 0.9)) if errors else None,
        equal_outcomes=equal / len(asked),
    )


def _spearman(pairs: Sequence[tuple[float, float]]) -> float | None:
    from scipy.stats import spearmanr

    columns: Any = np.array(pairs, np.float64).T
    if len(pairs) < 2 or (columns.min(axis=1) == columns.max(axis=1)).any():
        return None  # equal values have no ranks
    return float(spearmanr(*columns).statistic)
