"""Deployments on the real kernel: good policies stay, bad ones go within a second, and no task is lost."""

import dataclasses
from pathlib import Path

import pytest

from schedcp_gym.control.verifier import token as tokens
from schedcp_gym.control.verifier.canary import CanaryConfig, Verdict, deploy
from schedcp_gym.control.verifier.report import Stage
from schedcp_gym.lab import catalogue
from schedcp_gym.lab.compiler import compile_policy
from schedcp_gym.spec import MachineSpec, Policy

pytestmark = pytest.mark.guest

BAD = Path(__file__).with_name("canary")
QUICK = CanaryConfig(baseline_ms=600, phase_ms=700, watch_ms=1200)


@pytest.fixture(autouse=True)
def state(tmp_path, monkeypatch):
    monkeypatch.setenv("SCHEDCP_STATE", str(tmp_path))


def schbench(requests, command="exec {schbench}"):
    """schbench with so many requests per worker (about 5 ms each), or a shell command around it."""
    workload = catalogue.load_workload("schbench")
    plain = f"schbench --json --requests={requests} --seed=1"
    return dataclasses.replace(workload, command=["sh", "-c", command.replace("{schbench}", plain)])


@pytest.fixture
def deployed(lab, image):
    """Deploys a policy, by the name of the library's or of this folder's, with a token for it."""

    def run(name, workload=None, config=QUICK, fallback=None, source=None, spec=MachineSpec(), **more):  # noqa: B008
        own = BAD / f"{name}.bpf.c"
        policy = Policy(name, source) if source else catalogue.load_policy(str(own) if own.exists() else name)
        token = tokens.issue(
            object_digest=tokens.object_digest(compile_policy(policy.source, image)),
            image=image,
            tunables=policy.tunables,
            stages=Stage,
            machine=spec,
        )
        good = catalogue.load_policy(fallback) if fallback else None
        return deploy(
            policy, token, workload or schbench(900), lab=lab, spec=spec, config=config, fallback=good, **more
        )

    return run


def survived(report):
    """The workload does not know what happened: it ended well and gave all its metrics."""
    assert (report.command_exit, report.command_signal) == (0, 0), report.log
    assert report.metrics.keys() == catalogue.load_workload("schbench").metrics.keys()
    assert report.tasks_lost == 0


def reverted(report, to):
    assert report.verdict is Verdict.REVERTED, report.reason
    assert report.in_charge == report.fallback == to
    assert report.in_time
    assert 0 < report.revert_ms <= 1000
    assert report.tasks_before == report.tasks_after == 11  # schbench's main thread, 2 message threads, 8 workers
    assert report.phases[-1].name == "reverted"
    assert report.phases[-1].figures["progress"] > 0.9
    survived(report)


def shares(report):
    return [phase.share_percent for phase in report.phases if phase.name == "canary"]


@pytest.mark.parametrize(("name", "fallback"), [("fifo", None), ("vtime", "fifo")])
def test_a_good_policy_is_widened_and_kept(deployed, name, fallback):
    report = deployed(name, fallback=fallback)
    assert report.kept, report.reason
    assert (report.reason, report.breach, report.breach_at_s, report.reverted_at_s) == ("", None, None, None)
    assert report.in_charge == report.policy == name
    assert report.fallback == (fallback or "eevdf")
    assert [phase.name for phase in report.phases] == ["baseline", "canary", "canary", "canary", "full", "kept"]
    assert shares(report) == [10, 25, 50]
    assert [phase.canary_tasks for phase in report.phases[1:4]] == [1, 3, 5]  # of the 10 that use the CPU
    assert report.phases[4].canary_tasks == report.phases[4].tasks == 11
    for phase in report.phases[1:]:
        assert phase.cpu_s > 0
        assert phase.limits
    survived(report)


def test_one_that_starves_the_canaries_goes_at_the_first_share_for_the_last_good_policy(deployed):
    report = deployed("starve", fallback="vtime")
    reverted(report, to="vtime")
    assert shares(report) == [10]
    assert report.breach.share_percent == 10
    assert report.breach.figure == "longest_wait_ms"
    assert report.breach.value > report.breach.limit
    assert report.phases[1].canary_tasks == 1
    assert "longest_wait_ms is 5" in report.reason
    assert "10 % of the tasks" in report.reason


EIGHT = MachineSpec(cpus=8)
#: Three workers for each of eight CPUs.
THREE_EACH = "exec schbench --json --threads=12 --seed=1 --requests="


def test_on_eight_cpus_a_good_policy_is_widened_and_kept(deployed):
    report = deployed("fifo", schbench(0, THREE_EACH + "320"), spec=EIGHT)
    assert report.kept, report.reason
    assert [phase.name for phase in report.phases] == ["baseline", "canary", "canary", "canary", "full", "kept"]
    assert [phase.canary_tasks for phase in report.phases[1:4]] == [3, 7, 14]  # of the 27 that use the CPU
    assert report.phases[4].canary_tasks == report.phases[4].tasks
    survived(report)


def test_on_eight_cpus_one_that_starves_the_canaries_goes_at_the_first_share(deployed):
    report = deployed("starve", schbench(0, THREE_EACH + "200"), spec=EIGHT)
    assert report.verdict is Verdict.REVERTED, report.reason
    assert shares(report) == [10]
    assert report.breach.figure == "longest_wait_ms"
    assert 0 < report.revert_ms <= 1000
    assert report.tasks_before == report.tasks_after
    survived(report)


def test_one_that_starves_all_at_once_goes_too(deployed):
    report = deployed("starve", config=dataclasses.replace(QUICK, shares_percent=()))
    reverted(report, to="eevdf")
    assert report.breach.share_percent == 100
    assert [phase.name for phase in report.phases] == ["baseline", "full", "reverted"]
    assert report.phases[1].figures["progress"] < 0.01


def test_one_whose_throughput_collapses_long_after_it_got_all_tasks_goes(deployed):
    report = deployed("collapse", schbench(1200))
    reverted(report, to="eevdf")
    assert report.breach.figure == "progress"
    assert report.breach.share_percent == 100
    assert 0.3 < report.breach.value < report.breach.limit < 0.75
    assert [phase.name for phase in report.phases][-3:] == ["full", "kept", "reverted"]
    full = report.phases[-3]
    assert 2.0 < report.breach_at_s - full.began_s < 3.0


def test_one_that_the_kernel_ejects_is_replaced_by_the_last_good_policy(deployed):
    report = deployed("giveup", fallback="fifo")
    reverted(report, to="fifo")
    assert report.breach.figure is None
    assert report.breach.share_percent == 100
    assert report.reason.startswith("the kernel ejected the policy: scx_bpf_error: too many tasks: ")
    assert "is one more" in report.log


def test_one_with_endless_slices_goes_when_wake_ups_come_late(deployed):
    hogs = "for i in 1 2 3; do sh -c 'while :; do :; done' & hogs=\"$hogs $!\"; done; {schbench}; kill $hogs; wait"
    report = deployed("slow", schbench(500, hogs))  # long after the revert, so that no hog is killed near it
    assert report.verdict is Verdict.REVERTED, report.reason
    assert report.breach.figure in ("wake_wait_ms", "mean_wait_ms", "longest_wait_ms")
    assert report.in_charge == "eevdf"
    assert 0 < report.revert_ms <= 1000
    assert report.tasks_before == report.tasks_after == 15
    survived(report)


def test_no_task_is_left_in_the_class_of_the_canaries(deployed):
    look = "cat /proc/[0-9]*/task/[0-9]*/stat | sed 's/.*) //' | cut -d' ' -f39 | sort | uniq -c"
    command = f"{{schbench}} & sleep 1; {look} >&2; sleep 3; echo later >&2; {look} >&2; wait"
    report = deployed("giveup", schbench(900, command))
    assert report.verdict is Verdict.REVERTED
    assert report.breach_at_s < 4
    during, after = (
        dict(reversed(line.split()) for line in part.splitlines() if len(line.split()) == 2)
        for part in report.log.partition("later")[::2]
    )
    assert int(during["7"]) >= 2  # a worker and the probe
    assert "7" not in after
    assert after["0"]


def test_a_workload_that_keeps_a_count_is_watched_by_it(deployed):
    # It stops counting after a while, with the new policy in charge, which has nothing to do with it.
    once = "i=$((i+1)); echo $i >/tmp/beats; j=0; while [ $j -lt 300 ]; do j=$((j+1)); done"
    beats = f"i=0; while [ $i -lt 220 ]; do {once}; done; "
    report = deployed(
        "fifo",
        schbench(500, beats + "{schbench}"),
        config=dataclasses.replace(QUICK, shares_percent=()),
        beats="/tmp/beats",
    )
    assert report.phases[0].figures["beats_per_s"] > 30
    assert report.verdict is Verdict.REVERTED
    assert report.breach.figure == "beats_per_s"
    survived(report)


def test_a_workload_that_ends_too_soon_keeps_nothing(deployed):
    report = deployed("vtime", schbench(300))
    assert report.verdict is Verdict.REVERTED
    assert report.reason == "the workload ended before the canary was over"
    assert report.breach is None
    assert report.in_charge == "eevdf"
    survived(report)


def test_one_that_the_kernel_does_not_load_leaves_the_workload_alone(deployed):
    source = (BAD / "slow.bpf.c").read_text().replace("NSEC_PER_SEC", "*(u64 *)p->scx.dsq_vtime")
    report = deployed("broken", schbench(300), source=source)
    assert report.verdict is Verdict.REVERTED
    assert "the kernel does not load the policy" in report.reason
    assert [phase.name for phase in report.phases] == ["reverted"]
    survived(report)


def test_a_batch_of_processes_that_come_and_go_is_no_breach(deployed):
    workload = catalogue.load_workload("longtail")
    report = deployed("vtime", workload, config=CanaryConfig(phase_ms=700))
    assert report.kept, report.reason
    assert report.phases[0].tasks == 41
    assert report.phases[-1].tasks < 41
    assert report.metrics.keys() == workload.metrics.keys()
    assert report.command_exit == 0


def test_the_same_deployment_gives_the_same_figures(deployed):
    first, second = (deployed("collapse", schbench(1200), fallback="vtime") for _ in range(2))
    assert first.exact() == second.exact()
    assert first.log == second.log
