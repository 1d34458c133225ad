"""A record as a whole: is all of the search and of the test there, once, and is the tested policy the chosen one?"""

import json
from collections.abc import Iterator
from typing import Any

from schedcp_gym.envs.observation import nameable
from schedcp_gym.leaderboard.refusal import Kind, Refusal
from schedcp_gym.run.folder import RECORD, RunFolder
from schedcp_gym.run.heldout import Pair, held_out_seeds, rebind
from schedcp_gym.run.lines import Chosen, HeldOut, measurement_of
from schedcp_gym.run.scores import by_seed
from schedcp_gym.run.summary import best_of
from schedcp_gym.spec import SchedcpError

Named = list[tuple[str, HeldOut]]


def audit_order(run: RunFolder) -> Iterator[Refusal]:
    """Episodes and steps of the search, then the test on held-out seeds."""
    yield from _search(run)
    best = best_of(run.record)
    held_out: Named = [(name, entry) for name, entry in run.trials if entry["kind"] == "heldout"]
    if best is None:
        for name, _entry in held_out:
            yield Refusal(Kind.CHOSEN, name, "there is no policy to test: none ran to its end in the search")
        return
    yield from _tests(run, held_out)
    yield from _chosen(run, held_out, best)


def _search(run: RunFolder) -> Iterator[Refusal]:
    episode, step, seed = -1, 0, None
    seen: set[tuple[int, int]] = set()
    for name, entry in run.trials:
        if entry["kind"] == "heldout":
            continue
        here = (entry["episode"], entry["step"])
        if here in seen:
            yield Refusal(Kind.DUPLICATE, name, f"step {here[1]} of episode {here[0]} is there already")
            continue
        seen.add(here)
        if entry["kind"] == "baseline":
            expected, seed = (episode + 1, 0), entry["workload_seed"]
        else:
            expected = (episode, step + 1)
            if entry["workload_seed"] != seed and here == expected:
                yield Refusal(Kind.TRIAL, name, f"its seed is {entry['workload_seed']}, its episode's is {seed}")
        if here != expected:
            yield Refusal(Kind.MISSING, name, f"step {expected[1]} of episode {expected[0]} should come before it")
        episode, step = here
    if episode < 0:
        yield Refusal(Kind.MISSING, run.file(RECORD), "there is no search in it")


def _tests(run: RunFolder, held_out: Named) -> Iterator[Refusal]:
    heldout = run.settings.heldout
    wanted = {(run.workload.name, seed) for seed in held_out_seeds(heldout.seeds)}
    wanted |= {(name, seed) for name in run.variants for seed in held_out_seeds(heldout.variant_seeds)}
    counts = dict.fromkeys(wanted, 0)
    told: list[str] = []
    for name, entry in held_out:
        place = (entry["workload"], entry["workload_seed"])
        if place not in wanted:
            yield Refusal(Kind.HELDOUT, name, f"seed {place[1]} of {place[0]} is not one of the test's held-out seeds")
            continue
        counts[place] += 1
        what = json.dumps([place, entry["source_sha256"], entry["tunables"]])
        if counts[place] > 2 and what in told:
            yield Refusal(Kind.DUPLICATE, name, f"seed {place[1]} of {place[0]} has its two trials already")
        elif counts[place] > 2:
            why = "the search went on after its test on held-out seeds; start anew with another run.dir"
            yield Refusal(Kind.HELDOUT, name, why)
        told.append(what)
    for (workload, seed), count in sorted(counts.items()):
        if count < 2:
            lacks = "EEVDF and the chosen policy" if count == 0 else "EEVDF or the chosen policy"
            reason = f"lacks {lacks} on held-out seed {seed} of {workload}"
            yield Refusal(Kind.MISSING, run.file(RECORD), reason)


def _chosen(run: RunFolder, held_out: Named, best: Chosen) -> Iterator[Refusal]:
    seen: dict[tuple[str, int], HeldOut] = {}
    for name, entry in held_out:
        place = (entry["workload"], entry["workload_seed"])
        if place not in seen:
            seen[place] = entry
            continue
        if entry["source_sha256"] != best["source_sha256"]:
            yield Refusal(Kind.CHOSEN, name, f"tests another policy than the chosen one, {best['policy']}")
            continue
        try:
            expected = expected_tunables(run, best, seen[place])
        except (KeyError, SchedcpError):
            continue  # its source is not there, or not what it was: told elsewhere
        if entry["tunables"] != expected:
            yield Refusal(Kind.CHOSEN, name, f"tests other tunables than the chosen policy's: {expected}")


def expected_tunables(run: RunFolder, best: Chosen, baseline: HeldOut) -> dict[str, Any]:
    """The chosen policy's tunables on a held-out seed, process names bound to the seed's own.

    Raises:
        KeyError: Its source is not there.
        SchedcpError: Its source does not declare them.
    """
    policy = run.policy_of(best)
    if not run.settings.heldout.rebind_names:
        return dict(policy.tunables)
    return dict(rebind(policy, names_seen(run, best["workload_seed"]), nameable(measurement_of(baseline))).tunables)


def names_seen(run: RunFolder, workload_seed: int) -> list[str]:
    """Process names in the search's baseline on a seed, in order of CPU time."""
    for entry in run.baselines:
        if entry["workload_seed"] == workload_seed:
            return nameable(measurement_of(entry))
    return []


def pairs_of(run: RunFolder) -> dict[str, list[Pair]]:
    """The pairs of the test by workload, the run's own first.

    Raises:
        KeyError: A policy's source is not there.
    """
    found = {}
    for workload in (run.workload.name, *run.variants):
        pairs = []
        for seed, (baseline, *tested) in by_seed(run.record, workload).items():
            if tested:
                entry = tested[-1]
                measured = (measurement_of(baseline), measurement_of(entry))
                pairs.append(Pair(seed, run.policy_of(entry), *measured, float(entry["reward"])))
        if pairs:
            found[workload] = pairs
    return found
