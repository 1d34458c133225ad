"""Check a record as a whole: it has all trials of the search and of the test once, and tests the chosen policy."""

import json
from collections.abc import Iterator
from typing import Any

from schedcp_gym.envs.observation import nameable
from schedcp_gym.leaderboard.flaw import Flaw, FlawKind
from schedcp_gym.run.folder import RECORD, RunFolder
from schedcp_gym.run.heldout import HeldOutPair, held_out_seeds, names_seen, rebind
from schedcp_gym.run.lines import Chosen, HeldOutTrial, measurement_of
from schedcp_gym.run.scores import by_seed
from schedcp_gym.run.summary import best_of
from schedcp_gym.spec import SchedcpError

Named = list[tuple[str, HeldOutTrial]]


def audit_order(run: RunFolder) -> Iterator[Flaw]:
    """Check the episodes and steps of the search, then the test on held-out seeds."""
    yield from _search(run)
    best = best_of(run.record)
    held_out: Named = [(name, entry) for name, entry in run.trials if entry["kind"] == "heldout"]
    if best is None:
        for name, _entry in held_out:
            yield Flaw(FlawKind.CHOSEN, name, "there is no policy to test: none ran to its end in the search")
        return
    yield from _tests(run, held_out)
    yield from _chosen(run, held_out, best)


def _search(run: RunFolder) -> Iterator[Flaw]:
    episode, step, seed = -1, 0, None
    seen: set[tuple[int, int]] = set()
    for name, entry in run.trials:
        if entry["kind"] == "heldout":
            continue
        here = (entry["episode"], entry["step"])
        if here in seen:
            yield Flaw(FlawKind.DUPLICATE, name, f"step {here[1]} of episode {here[0]} occurs twice")
            continue
        seen.add(here)
        if entry["kind"] == "baseline":
            expected, seed = (episode + 1, 0), entry["workload_seed"]
        else:
            expected = (episode, step + 1)
            if entry["workload_seed"] != seed and here == expected:
                yield Flaw(FlawKind.TRIAL, name, f"its seed is {entry['workload_seed']}, its episode's is {seed}")
        if here != expected:
            yield Flaw(FlawKind.MISSING, name, f"step {expected[1]} of episode {expected[0]} is missing before it")
        episode, step = here
    if episode < 0:
        yield Flaw(FlawKind.MISSING, run.file(RECORD), "the search is missing")


def _tests(run: RunFolder, held_out: Named) -> Iterator[Flaw]:
    heldout = run.settings.heldout
    wanted = {(run.workload.name, seed) for seed in held_out_seeds(heldout.seeds)}
    wanted |= {(name, seed) for name in run.variants for seed in held_out_seeds(heldout.variant_seeds)}
    counts = dict.fromkeys(wanted, 0)
    seen: list[str] = []
    for name, entry in held_out:
        place = (entry["workload"], entry["workload_seed"])
        if place not in wanted:
            yield Flaw(FlawKind.HELDOUT, name, f"seed {place[1]} of {place[0]} is not one of the test's held-out seeds")
            continue
        counts[place] += 1
        identity = json.dumps([place, entry["source_sha256"], entry["tunables"]])
        if counts[place] > 2 and identity in seen:
            yield Flaw(FlawKind.DUPLICATE, name, f"seed {place[1]} of {place[0]} has its two trials already")
        elif counts[place] > 2:
            why = "the search continued after its test on held-out seeds; use another run.dir for a new run"
            yield Flaw(FlawKind.HELDOUT, name, why)
        seen.append(identity)
    for (workload, seed), count in sorted(counts.items()):
        if count < 2:
            lacks = "EEVDF and the chosen policy" if count == 0 else "EEVDF or the chosen policy"
            reason = f"lacks {lacks} on held-out seed {seed} of {workload}"
            yield Flaw(FlawKind.MISSING, run.file(RECORD), reason)


def _chosen(run: RunFolder, held_out: Named, best: Chosen) -> Iterator[Flaw]:
    seen: dict[tuple[str, int], HeldOutTrial] = {}
    for name, entry in held_out:
        place = (entry["workload"], entry["workload_seed"])
        if place not in seen:
            seen[place] = entry
            continue
        if entry["source_sha256"] != best["source_sha256"]:
            yield Flaw(FlawKind.CHOSEN, name, f"tests another policy than the chosen one, {best['policy']}")
            continue
        try:
            expected = expected_tunables(run, best, seen[place])
        except (KeyError, SchedcpError):
            continue  # another check reports that its source is missing or wrong
        if entry["tunables"] != expected:
            yield Flaw(FlawKind.CHOSEN, name, f"tests other tunables than the chosen policy's: {expected}")


def expected_tunables(run: RunFolder, best: Chosen, baseline: HeldOutTrial) -> dict[str, Any]:
    """Return the chosen policy's tunables on a held-out seed, with process names rebound to that seed's names.

    Raises:
        KeyError: Its source is missing.
        SchedcpError: Its source does not declare them.
    """
    policy = run.policy_of(best)
    if not run.settings.heldout.rebind_names:
        return dict(policy.tunables)
    names = names_seen(run.record, best["workload_seed"])
    return dict(rebind(policy, names, nameable(measurement_of(baseline))).tunables)


def pairs_of(run: RunFolder) -> dict[str, list[HeldOutPair]]:
    """Return the pairs of the test by workload, the run's own first.

    Raises:
        KeyError: A policy's source is missing.
    """
    found = {}
    for workload in (run.workload.name, *run.variants):
        pairs = []
        for seed, (baseline, *tested) in by_seed(run.record, workload).items():
            if tested:
                entry = tested[-1]
                measured = (measurement_of(baseline), measurement_of(entry))
                pairs.append(HeldOutPair(seed, run.policy_of(entry), *measured, float(entry["reward"])))
        if pairs:
            found[workload] = pairs
    return found
