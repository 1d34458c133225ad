"""What holds for every workload's declaration."""

import json
import math
import re

import pytest

from schedcp_gym.lab import catalogue
from schedcp_gym.paths import PACKAGE, SHARED
from schedcp_gym.run.folder import open_entry
from schedcp_gym.spec import EEVDF, Direction, MachineSpec, Policy, Scale, Trial

NAMES = catalogue.workload_names()


@pytest.mark.parametrize("name", NAMES)
def test_a_workload_says_what_it_is_and_how_long_it_takes(name):
    workload = catalogue.load_workload(name)
    assert 10 <= len(workload.title) <= 100
    assert not workload.title.endswith(".")
    assert len(workload.description.split()) >= 40
    assert set(workload.scales) == set(Scale)
    limits = [Trial(Policy(EEVDF), workload, MachineSpec(), scale).max_job_s for scale in Scale]
    assert limits == sorted(limits)


@pytest.mark.parametrize("name", NAMES)
def test_objectives_are_of_metrics_and_a_bound_is_of_the_same_unit_and_direction(name):
    workload = catalogue.load_workload(name)
    assert all(re.fullmatch("[a-z]+", called) for called in workload.objectives)
    for objective in (workload.objective, *workload.objectives.values()):
        metrics = [workload.metrics[metric] for metric in objective.weights]
        assert math.isfinite(sum(objective.weights.values()))
        if objective.bound:
            bound = workload.metrics[objective.bound]
            assert objective.bound not in objective.weights
            assert (bound.unit, bound.direction) == (metrics[0].unit, metrics[0].direction)
    if fair := workload.objectives.get("fair"):
        assert fair.floors
        assert set(fair.floors) - set(fair.weights) or len(fair.weights) > 1


@pytest.mark.parametrize("name", NAMES)
def test_a_makespan_has_a_bound_where_jobs_are_given(name):
    workload = catalogue.load_workload(name)
    if "bound_s" in workload.metrics:
        assert workload.metrics["bound_s"].direction is Direction.MINIMIZE
        assert workload.objective.bound == "bound_s"


@pytest.mark.parametrize("name", NAMES)
def test_what_a_workload_shares_is_there_and_used_in_its_folder(name):
    workload = catalogue.load_workload(name)
    assert len(set(workload.shared)) == len(workload.shared)
    assert all((SHARED / shared).is_file() for shared in workload.shared)


#: What a workload runs at once, from its parameters; those with as many processes on every machine are not here.
WORKERS = {
    "schbench": lambda has: has["message_threads"] * has["threads"],
    "longtail": lambda has: has["jobs"],
    "hackbench": lambda has: 2 * has["groups"] * has["fds"],
    "perf-bench": lambda has: 40 * has["groups"],
    "stress-ng": lambda has: sum(int(part.split(":")[1]) for part in has["mix"].split(",")),
    "sysbench": lambda has: has["threads"],
    "nginx": lambda has: has["workers"],
    "redis": lambda has: has["workers"],
    "phases": lambda has: min(has["jobs"], has["clients"] + has["workers"]),
}
#: Processes of perf and of cyclictest's load are a fixed number; make is told the number of CPUs.
ALIKE = {"perf-bench-pipe", "cyclictest", "cyclictest-messages", "kernel-build"}
MOST_NAMES = 96


def workers_of(name, has):
    """How many workers a workload with such parameters has."""
    return WORKERS.get(name, WORKERS.get(catalogue.load_workload(name).folder, WORKERS["longtail"]))(has)


@pytest.mark.parametrize("scale", list(Scale))
@pytest.mark.parametrize("name", sorted(set(NAMES) - ALIKE))
def test_a_workload_fills_every_machine(name, scale):
    workload = catalogue.load_workload(name)
    assert workload.parameters(scale, 2) == workload.scales[scale]
    counts = [workers_of(name, workload.parameters(scale, cpus)) for cpus in (2, 4, 8, 16)]
    assert counts == sorted(counts)
    assert counts[0] < counts[2]
    assert all(count >= 1.25 * cpus for count, cpus in zip(counts, (2, 4, 8, 16), strict=True))


@pytest.mark.parametrize("scale", list(Scale))
@pytest.mark.parametrize("name", [name for name in NAMES if "jobs" in catalogue.load_workload(name).scales["smoke"]])
def test_the_long_job_of_a_batch_stays_about_as_long_as_a_cpus_share(name, scale):
    workload = catalogue.load_workload(name)
    # Loading perl's libraries is most of a short run of the test suite: as much as 11 cases.
    start = 11 if name == "test-suite" else 0
    work = {}
    for cpus in (2, 4, 8, 16):
        has = workload.parameters(scale, cpus)
        amount = has.get("amount") or has.get("records") or has["pieces"]
        long, short = start + has["ratio"] * amount, start + amount
        share = long / (short * (has["jobs"] - 1) / (cpus - 1))
        assert 0.8 < share < 1.25 or cpus == 2
        work[cpus] = long + short * (has["jobs"] - 1)
        assert has["jobs"] <= MOST_NAMES
        assert amount >= 2, "a quarter less is 1 at least"
    assert all(0.7 < done / work[2] < 1.6 for done in work.values())


@pytest.mark.parametrize("cpus", [4, 8, 16])
@pytest.mark.parametrize("scale", list(Scale))
@pytest.mark.parametrize(("name", "amount"), [("schbench", 1), ("hackbench", 0), ("perf-bench", 0), ("phases", 2)])
def test_all_work_together_stays_about_the_same(name, amount, scale, cpus):
    def work(has):
        if amount == 0:
            return has["groups"] * has["loops"] * has.get("rounds", 1)
        if amount == 1:
            return has["message_threads"] * has["threads"] * has["requests"] * has["operations"]
        return has["clients"] * has["requests"]

    workload = catalogue.load_workload(name)
    assert work(workload.parameters(scale, cpus)) == pytest.approx(work(workload.scales[scale]), rel=0.05)


@pytest.mark.parametrize("cpus", [1, 4, 8, 12, 16])
@pytest.mark.parametrize("scale", list(Scale))
def test_stress_ng_can_share_its_operations_out(scale, cpus):
    for workload, count in (("stress-ng", None), ("cyclictest", 4)):
        has = catalogue.load_workload(workload).parameters(scale, cpus)
        parts = [f"cpu:{count}:{has['work']}"] if count else has["mix"].split(",")
        for _, instances, operations in (part.split(":") for part in parts):
            assert int(operations) % int(instances) == 0, "else it does more than it is asked to"


def recorded_baselines():
    """A recorded measurement of EEVDF for each workload of the catalogue that the leaderboard has: its trial."""
    found = {}
    for run in open_entry(PACKAGE.parent / "results" / "leaderboard" / "eevdf_standard"):
        record = json.loads(run.files["record.jsonl"].splitlines()[0])
        if record["kind"] == "baseline" and record["workload"] in NAMES:
            found[record["workload"]] = record
    return found


@pytest.mark.parametrize(("name", "record"), recorded_baselines().items())
def test_recorded_trials_keep_their_digests(name, record):
    workload = catalogue.load_workload(name)
    trial = Trial(Policy(EEVDF), workload, MachineSpec(), Scale(record["scale"]), record["workload_seed"])
    assert workload.with_cpus
    assert trial.digest == record["measurement"]["trial"]


def test_there_are_recorded_trials():
    assert set(recorded_baselines()) >= {"schbench", "schbench-open", "longtail", "hackbench"}


@pytest.mark.parametrize("name", NAMES)
def test_a_workload_says_what_its_processes_have_in_the_caches(name):
    caches = catalogue.load_workload(name).caches
    assert caches.footprint_kib["*"] > 0
    assert caches.shared_kib
