"""Feedback: what changed, weightiest first, in few tokens; and of a failure, why."""

import dataclasses

import pytest

from schedcp_gym.control.analysis import Analysis, Tier
from schedcp_gym.control.analysis.differences import class_changes_by_name, class_changes_traced, metric_changes
from schedcp_gym.control.analysis.feedback import TOKEN_LIMIT, write_feedback
from schedcp_gym.control.analysis.feedback_text import Run, words
from schedcp_gym.llm import tokens
from schedcp_gym.spec import Direction, Measurement, Metric, Objective, Outcome, Scale, Workload
from schedcp_gym.spec.cache_costs import CAUSES

WORKLOAD = Workload(
    name="w",
    title="t",
    description="d",
    command=["prog"],
    metrics={
        "p99_us": Metric("us", Direction.MINIMIZE, "d"),
        "best_us": Metric("us", Direction.MINIMIZE, "d"),
        "p50_us": Metric("us", Direction.MINIMIZE, "d"),
        "ops_per_s": Metric("1/s", Direction.MAXIMIZE, "d"),
    },
    objective=Objective({"p99_us": 1.0}, bound="best_us"),
    objectives={"fair": Objective({"p99_us": 3.0, "ops_per_s": 1.0}, floors={"p50_us": 0.9})},
    scales={scale: {} for scale in Scale},
)


def measured(p99_us=100.0, p50_us=10.0, ops_per_s=50.0, outcome=Outcome.OK, **more):
    metrics = {"p99_us": p99_us, "best_us": 50.0, "p50_us": p50_us, "ops_per_s": ops_per_s}
    return Measurement("t", outcome, metrics if outcome is Outcome.OK else {}, **{"job_s": 2.0, **more})


EEVDF = Run("eevdf", measured(utilisation=0.5, cpu_s_by_name={"prog": 1.0}))


def told(now, last=None, **more):
    return write_feedback(WORKLOAD, now if isinstance(now, Run) else Run("mine", now), EEVDF, last, **more)


def test_the_first_line_is_the_verdict_against_eevdf_and_against_the_last_policy():
    lines = told(measured(50.0), Run("older", measured(80.0))).text.splitlines()
    assert lines[0].startswith("mine on w: 2.00x EEVDF (reward +0.693")
    assert lines[0].endswith("better than the last policy, older (1.25x).")
    assert lines[1] == "p99_us: 100 -> 50 us (less is better): 2.00x EEVDF, 1.60x the last policy."
    assert lines[2] == "100.0 % of what is possible (EEVDF 50.0 %)."
    assert "worse than the last" in told(measured(90.0), Run("older", measured(80.0))).text
    assert "as good as the last" in told(measured(80.0), Run("older", measured(80.0))).text
    assert "older: timeout" in told(measured(90.0), Run("older", measured(outcome=Outcome.TIMEOUT))).text


def test_other_metrics_follow_those_that_got_worse_first_and_what_hardly_moved_is_left_out():
    text = told(measured(50.0, p50_us=20.0, ops_per_s=100.0)).text
    assert "Also worse: p50_us 0.50x. Also better: ops_per_s 2.00x." in text
    assert "Also" not in told(measured(50.0, p50_us=10.1, ops_per_s=50.5)).text
    assert "best_us" not in text


def test_a_broken_floor_comes_right_after_the_verdict():
    found = told(measured(50.0, p50_us=20.0), objective=WORKLOAD.objectives["fair"])
    assert found.text.splitlines()[1] == (
        "Floor broken, so nothing else earns any reward: p50_us 0.50x, at least 0.9x."
    )
    assert "75 % of the objective" in found.text
    assert found.data["reward"] < 0
    assert "Floor" not in told(measured(50.0), objective=WORKLOAD.objectives["fair"]).text


def test_data_has_the_same_as_plain_values():
    found = told(measured(50.0, events={"SCX_EV_SLICE_DENIED": 3}))
    assert (found.tier, found.workload, found.tokens) == (Tier.FEEDBACK, "w", tokens.count(found.text))
    assert found.data["policy"] == "mine"
    assert [change["name"] for change in found.data["metrics"]] == ["p99_us", "p50_us", "ops_per_s"]
    assert found.data["metrics"][0]["ratio"] == 2.0
    assert found.data["events"] == {"SCX_EV_SLICE_DENIED": 3}
    assert found.guest_s == 2.0


def test_events_are_told_with_their_meaning_when_there_are_enough_to_worry():
    few, many = (measured(events={"SCX_EV_DISPATCH_KEEP_LAST": count}) for count in (100, 5000))
    assert "KEEP_LAST" not in told(few).text
    assert "Event DISPATCH_KEEP_LAST, 5000 times: nothing else was queued" in told(many).text
    assert (
        "Event SELECT_CPU_FALLBACK, 1 times: select_cpu()"
        in told(measured(events={"SCX_EV_SELECT_CPU_FALLBACK": 1})).text
    )
    assert "Event BYPASS_DURATION, 2.0 ms" in told(measured(events={"SCX_EV_BYPASS_DURATION": 2_000_000})).text
    assert "Event BRAND_NEW, 7 times: an event of a newer kernel" in told(measured(events={"SCX_EV_BRAND_NEW": 7})).text


def test_every_event_of_the_observation_has_a_meaning_and_every_failure_words():
    from schedcp_gym.envs.observation import EVENTS

    assert set(EVENTS) <= set(words().events)
    assert set(words().outcomes) == set(Outcome) - {Outcome.OK}


def test_without_a_trace_a_class_whose_cpu_time_changed_is_named():
    found = told(measured(50.0, utilisation=0.75, cpu_s_by_name={"prog": 1.5}))
    assert "CPU time changed (the work is the same): prog 1.00 -> 1.50 s." in found.text
    assert "CPUs busy 75.0 % (EEVDF 50.0 %), CPU time of all tasks 1.500x EEVDF's." in found.text
    assert "CPU time changed" not in told(measured(50.0, cpu_s_by_name={"prog": 1.01})).text


def costs(cold_l2_s=0.0, cold_llc_s=0.0, core_moves=0.0, llc_moves=0.0):
    return {
        "prog": {"cold_l2_s": cold_l2_s, "cold_llc_s": cold_llc_s, "core_moves": core_moves, "llc_moves": llc_moves}
    }


def test_cache_costs_are_compared_with_eevdfs_and_a_larger_one_is_explained_by_its_cause():
    eevdf = Run("eevdf", measured(cpu_s_by_name={"prog": 2.0}, caches=costs(0.01, 0.01, 100, 20)))
    cold = Run("mine", measured(200.0, cpu_s_by_name={"prog": 2.5}, caches=costs(0.06, 0.34, 900, 700)))
    text = write_feedback(WORKLOAD, cold, eevdf).text
    (line,) = [line for line in text.splitlines() if line.startswith("Cache costs")]
    assert line == (
        "Cache costs: 400 ms of CPU time (16.0 %); EEVDF 20 ms (1.0 %). By cause: cold L2 60 ms, cold LLC 340 ms. "
        "By name: prog 400 ms. Moves (EEVDF in brackets): 900 to another core (100), 700 to another LLC (20). "
        "That is 380 ms more than under EEVDF (CPU time of all tasks: 500 ms more), mostly cold LLC: "
        f"{words().costs['cold_llc_s']}"
    )
    warm = Run("mine", measured(50.0, cpu_s_by_name={"prog": 1.5}, caches=costs()))
    assert "less than under EEVDF" not in write_feedback(WORKLOAD, warm, eevdf).text  # 1 % of the CPU time
    saved = write_feedback(WORKLOAD, cold, dataclasses.replace(cold, policy="eevdf")).text
    assert "more than under EEVDF" not in saved
    assert "380 ms less than under EEVDF." in write_feedback(WORKLOAD, eevdf, cold).text
    assert "Cache costs" not in told(measured(50.0)).text


def test_every_cache_cost_has_words():
    assert list(words().costs) == list(CAUSES)


def task(slot, name, *, run_us=1000, waited_us=0, ended_us=10_000):
    return {
        "slot": slot,
        "name": name,
        "run_us": run_us,
        "wake_wait_us": waited_us // 2,
        "preempted_wait_us": waited_us - waited_us // 2,
        "longest_wait_us": waited_us,
        "ended_us": ended_us,
    }


def summary(*groups):
    """A summary's data: groups of (label, p99 wait, tasks, outliers)."""
    return Analysis(
        tier=Tier.SUMMARY,
        name="summary",
        workload="w",
        text="",
        data={
            "trace": {"tasks": [one for _, _, tasks, outliers in groups for one in (*tasks, *outliers)]},
            "groups": [
                {
                    "label": label,
                    "kind": "process",
                    "tasks": [one["slot"] for one in (*tasks, *outliers)],
                    "outliers": [one["slot"] for one in outliers],
                    "p99_wait_us": p99_us,
                }
                for label, p99_us, tasks, outliers in groups
            ],
        },
    )


SHORT = [task(slot, f"job-{slot}", waited_us=10_000) for slot in (1, 2)]
BEFORE = summary(("job", 9000, SHORT, [task(3, "long-1", run_us=90_000, waited_us=40_000, ended_us=200_000)]))
AFTER = summary(
    (
        "job",
        22_000,
        [task(slot, f"job-{slot}", waited_us=30_000, ended_us=50_000) for slot in (1, 2)],
        [task(3, "long-1", run_us=90_000, waited_us=4000, ended_us=120_000)],
    )
)


def test_with_traces_those_who_wait_more_and_less_are_named_and_what_stands_out_is_a_class_of_its_own():
    found = write_feedback(WORKLOAD, Run("mine", measured(50.0), AFTER), dataclasses.replace(EEVDF, summary=BEFORE))
    assert (
        "Lost (wait more for a CPU): 2 job: 10 -> 30 ms each in all, p99 9 -> 22 ms, ended after 0.01 -> 0.05 s."
        in (found.text)
    )
    assert "Won (wait less for a CPU): long-1: 40 -> 4 ms in all, longest 40 -> 4 ms, ended after 0.2 -> 0.12 s." in (
        found.text
    )
    assert [change["label"] for change in found.data["classes"]] == ["long-1", "job"]


def test_a_trace_of_the_same_run_shows_nobody_who_won_or_lost():
    (long, job) = class_changes_traced(BEFORE.data, BEFORE.data)
    assert (job.tasks, job.wait_ms, job.cpu_s) == (2, (10.0, 10.0), (0.002, 0.002))
    assert long.tasks == 1
    same = write_feedback(WORKLOAD, Run("mine", measured(50.0), BEFORE), dataclasses.replace(EEVDF, summary=BEFORE))
    assert "Lost" not in same.text
    assert "Won" not in same.text


def test_names_that_differ_in_digits_are_one_class_and_many_names_are_few():
    workers = {f"worker-{number}": 0.5 for number in range(20)}
    (change,) = class_changes_by_name(workers, workers)
    assert (change.label, change.cpu_s) == ("worker-#", (10.0, 10.0))
    jobs = {f"job-{letter}": 0.1 for letter in "abcdefghijkl"} | {"job-z": 2.0}
    changes = class_changes_by_name(jobs, jobs)
    assert [change.label for change in changes] == ["job-z", "10 other names", "job-a", "job-b"]
    assert sum(change.cpu_s[1] for change in changes) == pytest.approx(3.2)
    (gone,) = class_changes_by_name({"a": 1.0}, {})
    assert gone.cpu_s == (1.0, 0.0)


def test_metrics_are_compared_with_the_last_policy_only_where_that_was_ok():
    failed = measured(outcome=Outcome.TIMEOUT)
    for last, ratio in ((measured(80.0), 1.6), (failed, None), (None, None)):
        first = metric_changes(WORKLOAD, WORKLOAD.objective, measured(50.0), EEVDF.measured, last)[0]
        assert first.last_ratio == ratio


STALL = measured(
    outcome=Outcome.EJECTED,
    message="run: the policy was ejected while the command ran: runnable task stall: prog[135] failed "
    "to run for 2.516s; "
    "runnable task stall; prog[135] failed to run for 2.516s",
    log="""bad_enqueue: verification time 4054 usec
processed 18 insns (limit 1000000) max_states_per_insn 0
sched_ext: BPF scheduler "bad" enabled
sched_ext: BPF scheduler "bad" disabled (runnable task stall)
sched_ext: bad: prog[135] failed to run for 2.516s
   scx_vexit+0x6d/0xa0
   bpf_prog_2d2084fecbe3a588_bad_enqueue+0x91/0xc2
""",
)
COMPILE = measured(
    outcome=Outcome.REJECTED,
    message="compile: policy.bpf.c:2:9: error: expected expression",
    log="""policy.bpf.c:1:1: warning: something else
policy.bpf.c:2:9: error: expected expression
    2 | int x = ;
      |         ^
1 error generated.
""",
)
REFUSED = measured(
    outcome=Outcome.REJECTED,
    message="load: the kernel does not load the policy: R1 invalid mem access (Permission denied)",
    log="""libbpf: prog 'mine_dispatch': BPF program load failed: -13
-- BEGIN PROG LOAD LOG --
0: (79) r1 = *(u64 *)(r1 +8)
R1 invalid mem access 'trusted_ptr_or_null_'
Verification failed: Pointer Safety: may be NULL
Reason:
  R1 may be NULL.
At:
  mine_dispatch @ policy.bpf.c:45:16
  Source context:
      43 | void BPF_STRUCT_OPS(mine_dispatch, s32 cpu, struct task_struct *prev)
  >>> 45 |         if (prev->scx.flags)
         |         ^-- error: invalid dereference of R1
  Instruction context:
  >>>  1 | (61) r2 = *(u32 *)(r1 +888)

Causal path:
  mine_dispatch @ policy.bpf.c:43:6

Suggestion:
  Add a NULL check before the access.

processed 2 insns (limit 1000000) max_states_per_insn 0
-- END PROG LOAD LOG --
""",
)


@pytest.mark.parametrize(
    ("failure", "reason", "evidence"),
    [
        (
            STALL,
            STALL.message.partition("; ")[0],
            [
                'sched_ext: BPF scheduler "bad" disabled (runnable task stall)',
                "sched_ext: bad: prog[135] failed to run for 2.516s",
                "in the policy's bad_enqueue()",
            ],
        ),
        (
            COMPILE,
            "compile: policy.bpf.c:2:9: error: expected expression",
            ["policy.bpf.c:2:9: error: expected expression", "    2 | int x = ;", "      |         ^"],
        ),
        (
            REFUSED,
            "load: the kernel does not load the policy: R1 invalid mem access (Permission denied)",
            [
                "program mine_dispatch:",
                "R1 invalid mem access 'trusted_ptr_or_null_'",
                ">>> 45 |         if (prev->scx.flags)",
                "|         ^-- error: invalid dereference of R1",
                "Add a NULL check before the access.",
            ],
        ),
        (
            measured(outcome=Outcome.TIMEOUT, message="not ended after 5.0 s of guest time"),
            "not ended after 5.0 s of guest time",
            [],
        ),
        (
            measured(
                outcome=Outcome.GUEST_CRASH,
                message="panic",
                log="booting\nBUG: kernel NULL pointer dereference\nRIP: 0010:x\nmore\nKernel panic - not syncing",
            ),
            "panic",
            ["BUG: kernel NULL pointer dereference", "RIP: 0010:x", "Kernel panic - not syncing"],
        ),
    ],
)
def test_of_a_failure_the_reason_and_the_decisive_lines_come_first(failure, reason, evidence):
    found = told(failure)
    lines = found.text.splitlines()
    assert lines[0] == f"mine on w: {failure.outcome} (reward -3.00, the least)."
    assert lines[1] == f"Reason: {reason}"
    assert [line.removeprefix("| ") for line in lines[2 : 2 + len(evidence)]] == evidence
    assert words().outcomes[failure.outcome] in found.text
    assert found.data["evidence"] == evidence
    assert "x EEVDF" not in found.text


def test_a_fault_of_the_host_is_not_scored():
    assert "infra_fault (not scored)" in told(measured(outcome=Outcome.INFRA_FAULT, message="QEMU was killed")).text


def test_the_text_stays_below_its_limit_and_keeps_the_verdict():
    log = "\n".join(f"prog.c:{number}:1: error: {'very long words ' * 40}" for number in range(200))
    failed = measured(outcome=Outcome.REJECTED, message="compile: " + "x" * 100, log=log)
    found = told(failed)
    assert found.tokens < TOKEN_LIMIT
    assert found.text.startswith("mine on w: rejected")
    events = dict.fromkeys(words().events, 10**6)
    assert told(measured(50.0, events=events), limit=120).tokens < 120


def test_without_eevdfs_measurement_there_is_nothing_to_say():
    with pytest.raises(ValueError, match="timeout"):
        write_feedback(WORKLOAD, Run("mine", measured()), Run("eevdf", measured(outcome=Outcome.TIMEOUT)))
