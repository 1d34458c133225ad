"""Plain values to reckon with: two workloads, and measurements of them."""

from schedcp_gym.bench import BenchResult
from schedcp_gym.spec import Direction, Measurement, Metric, Objective, Outcome, Policy, Scale, Workload

EEVDF = Policy("eevdf")
FAST = Policy("fast", "int x;", (("slice_us", 500),))


def workload(name="batch", **more):
    return Workload(
        **{
            "name": name,
            "title": "t",
            "description": "d",
            "command": ["prog"],
            "metrics": {
                "makespan_s": Metric("s", Direction.MINIMIZE, "d"),
                "bound_s": Metric("s", Direction.MINIMIZE, "d"),
                "jobs_per_s": Metric("1/s", Direction.MAXIMIZE, "d"),
            },
            "objective": Objective({"makespan_s": 1.0}, bound="bound_s"),
            "objectives": {"throughput": Objective({"jobs_per_s": 1.0})},
            "scales": {scale: {} for scale in Scale},
            "digest": "0" * 64,
            **more,
        }
    )


BATCH = workload()


def measured(makespan_s=4.0, outcome=Outcome.OK, *, trial="t", host_s=1.0, **more):
    metrics = {"makespan_s": makespan_s, "bound_s": 2.0, "jobs_per_s": 10 / makespan_s}
    return Measurement(
        trial, outcome, metrics if outcome is Outcome.OK else {}, timings_s={"total": host_s}, job_s=5.0, **more
    )


def result(makespan_s=4.0, baseline_s=4.0, policy=FAST, outcome=Outcome.OK, *, on=BATCH, seed=0, **more):
    baseline = None if baseline_s is None else measured(baseline_s)
    return BenchResult(policy, on, on.objective, seed, measured(makespan_s, outcome, **more), baseline)
