"""Check that an entry has exactly the runs of its suite."""

import json
from collections import Counter
from collections.abc import Iterator, Sequence
from typing import Any

from hydra import compose
from omegaconf import OmegaConf

from schedcp_gym.lab import catalogue
from schedcp_gym.leaderboard.flaw import Flaw, FlawKind
from schedcp_gym.paths import CONFIGS
from schedcp_gym.run.configs import open_configs
from schedcp_gym.run.folder import CONFIG, RunFolder
from schedcp_gym.run.lock import flat

#: Settings that a suite fixes. The budget may differ; the leaderboard shows it.
FIXED = ("scale", "heldout", "objective", "episode_steps")
#: Settings of the machine that a suite fixes. Each clock has its own table; limits of host time do not change results.
MACHINE = ("cpus", "memory_mib", "kernel", "max_job_s")
ALL = "glob(*)"


def audit_suite(runs: Sequence[RunFolder]) -> Iterator[Flaw]:
    """Check that an entry has each task and seed of its suite once, with the suite's settings and with one agent."""
    yield from _same(runs)
    tasks = Counter((run.workload.name, run.settings.seed) for run in runs)
    for run in runs:
        task = (run.workload.name, run.settings.seed)
        if tasks[task] > 1:
            yield Flaw(FlawKind.DUPLICATE, run.where, f"there is another run on {task[0]} with seed {task[1]}")
            tasks[task] = 0
    yield from _searched_twice(runs)
    suite = runs[0].suite
    if suite is None:
        return
    if suite not in suite_names():
        yield Flaw(FlawKind.CONFIG, runs[0].file(CONFIG), f"there is no suite {suite}")
        return
    config = suite_config(suite)
    wanted = suite_tasks(config)
    for workload, seed in wanted:
        if (workload, seed) not in tasks:
            yield Flaw(FlawKind.MISSING, "runs", f"lacks the run on {workload} with seed {seed} of the suite {suite}")
    for run in runs:
        if (run.workload.name, run.settings.seed) not in wanted:
            why = f"{run.workload.name} with seed {run.settings.seed} is not in the suite {suite}"
            yield Flaw(FlawKind.CONFIG, run.where, why)
        machine = vars(run.settings.machine)
        others = [f"machine.{key}" for key in MACHINE if machine[key] != config["machine"][key]]
        for key in [*_other(config, run.config), *others]:
            why = f"{key} differs from the suite {suite}"
            yield Flaw(FlawKind.CONFIG, run.file(CONFIG), why)


def _searched_twice(runs: Sequence[RunFolder]) -> Iterator[Flaw]:
    """Check that runs with different seeds have different trials: otherwise one run was submitted twice."""
    known: dict[str, RunFolder] = {}
    for run in runs:
        search = [one["measurement"]["trial"] for _name, one in run.trials if one["kind"] != "heldout"]
        before = known.setdefault(json.dumps([run.workload.name, search]), run)
        if before is not run and before.settings.seed != run.settings.seed:
            yield Flaw(FlawKind.DUPLICATE, run.where, f"its search has the same trials as the one in {before.where}")


def suite_names() -> list[str]:
    """Return the names of all suites, sorted."""
    return sorted(path.stem for path in (CONFIGS / "suite").glob("*.yaml"))


def suite_config(name: str) -> dict[str, Any]:
    """Return a suite's configuration with the parameters of its sweep."""
    with open_configs():
        config = compose("config", [f"suite={name}"], return_hydra_config=True)
    plain: dict[str, Any] = OmegaConf.to_container(OmegaConf.masked_copy(config, [*FIXED, "machine"]))  # type: ignore[assignment]
    return {**plain, "params": dict(config.hydra.sweeper.params)}


def suite_tasks(config: dict[str, Any]) -> list[tuple[str, int]]:
    """Return a suite's workloads and seeds."""
    words, params = str(config["params"]["workload"]), config["params"]
    names = catalogue.workload_names() if words == ALL else words.split(",")
    seeds = [int(word) for word in str(params["seed"]).split(",")]
    return [(name, seed) for name in names for seed in seeds]


def _same(runs: Sequence[RunFolder]) -> Iterator[Flaw]:
    def facts(run: RunFolder) -> dict[str, Any]:
        agent = {key: value for key, value in flat(run.config["agent"]).items() if key != "_target_"}
        return {
            "run.agent": run.agent,
            "agent._target_": run.target,
            "run.suite": run.suite,
            "agent": agent,
            "llm.model": run.settings.llm.model,
            **{name: run.config[name] for name in ("budget", "machine", *FIXED)},
        }

    first = facts(runs[0])
    for run in runs[1:]:
        for key, value in facts(run).items():
            if value != first[key]:
                kind = FlawKind.AGENT if key.startswith(("run.agent", "agent")) else FlawKind.CONFIG
                yield Flaw(kind, run.file(CONFIG), f"{key} differs from the one in {runs[0].where}")


def _other(suite: dict[str, Any], config: dict[str, Any]) -> list[str]:
    before, now = (flat({key: each[key] for key in FIXED}) for each in (suite, config))
    return [key for key in sorted(before.keys() | now.keys()) if before.get(key) != now.get(key)]
