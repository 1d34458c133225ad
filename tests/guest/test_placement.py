"""Policies that know the machine: what each of them is for, on machines of several shapes."""

import json
from itertools import pairwise
from pathlib import Path

import pytest

from schedcp_gym.lab import catalogue
from schedcp_gym.lab.compiler import compile_policy
from schedcp_gym.machine import Machine

pytestmark = pytest.mark.guest

HERE = Path(__file__).parent
KNOWING = ("cost", "home", "llc", "spread", "sticky")
SHAPES = ("virtual", "llc", "smt", "numa")
#: What the kernel says of each CPU: its core's first thread, its cache's first CPU, its node.
SYSFS = r"""
for cpu in 0 1 2 3 4 5 6 7; do
    cd /sys/devices/system/cpu/cpu$cpu 2>/dev/null || continue
    last=$(ls -d cache/index* 2>/dev/null | tail -n 1)
    echo $cpu $(cat topology/core_cpus_list) $(cat $last/shared_cpu_list) $(basename $(ls -d node*))
done
"""
#: All CPUs of the second half go away one by one beside busy tasks, and come back.
HALF = """
for i in 1 2 3 4 5 6 7 8 9 10 11 12; do (while :; do :; done) & pids="$pids $!"; done
used() { cut -d' ' -f14 $(for pid in $pids; do echo /proc/$pid/stat; done) | tr '\\n' ' '; echo; }
sleep 0.2
for online in 0 1; do
    for cpu in 4 5 6 7; do echo $online > /sys/devices/system/cpu/cpu$cpu/online; done
    sleep 0.1; used; sleep 1.5; used
    cat /sys/kernel/sched_ext/state
done
kill $pids
"""


@pytest.fixture(scope="module")
def shaped(image):
    """The machine of a preset; each is booted once."""
    made = {}

    def of(name):
        if name not in made:
            made[name] = Machine(catalogue.load_machine(name), image)
        return made[name]

    yield of
    for each in made.values():
        each.stop()


@pytest.fixture
def run_turns(run_job, image, shaped):
    """Runs tasks that take turns under a policy; returns the CPUs of each task's turns."""

    def run(policy, machine, tasks, span_s=1.0, **tunables):
        files = {
            "p.o": compile_policy(catalogue.load_policy(policy).source, image),
            "bursts.py": (HERE / "bursts.py").read_bytes(),
            "asked": json.dumps({"span_s": span_s, "tasks": tasks}).encode(),
            "tunables": "".join(f"{name}={value}\n" for name, value in tunables.items()).encode(),
        }
        script = 'scx_run --report /result/r.json --object p.o --tunables tunables -- python3 bursts.py "$(cat asked)"'
        result = run_job(script, files, max_job_s=40.0, on=shaped(machine))
        report = json.loads(result.text("r.json"))
        assert report["outcome"] == "ok", report
        return json.loads(result.text("stdout"))

    return run


def moves(turns, group=1):
    """How often tasks were in another group of CPUs at the end of a turn than at that before."""
    return sum(a // group != b // group for cpus in turns for a, b in pairwise(cpus))


def groups(rows, column):
    """The sets of CPUs with the same value in a column."""
    return {
        frozenset(cpu for cpu in rows if rows[cpu][column] == value) for value in {r[column] for r in rows.values()}
    }


@pytest.mark.parametrize("name", SHAPES)
def test_a_policy_sees_the_cores_caches_and_nodes_that_the_kernel_sees(run_job, image, shaped, name):
    files = {"p.o": compile_policy((HERE / "shape.bpf.c").read_text(), image)}
    result = run_job(f"scx_run --report /result/r.json --object p.o -- true; {SYSFS}", files, on=shaped(name))
    message = json.loads(result.text("r.json"))["exit"]["msg"]
    told = [int(word) for word in message.partition("places ")[2].split() if word.isdigit()]
    kernel = {int(row.split()[0]): row.split()[1:] for row in result.text("stdout").splitlines()}
    policy = {cpu: (told[cpu] // 10000, told[cpu] // 100 % 100, told[cpu] % 100) for cpu in kernel}
    for column in range(3):
        assert groups(policy, column) == groups(kernel, column), (message, kernel)
    assert told[-2:] == [len(groups(kernel, 1)), len(groups(kernel, 2))]


@pytest.mark.parametrize("name", KNOWING)
def test_half_of_the_machine_goes_and_comes_under_load(run_job, image, shaped, name):
    files = {"p.o": compile_policy(catalogue.load_policy(name).source, image), "half": HALF.encode()}
    result = run_job(
        "scx_run --report /result/r.json --object p.o -- sh half", files, max_job_s=60.0, on=shaped("numa")
    )
    assert json.loads(result.text("r.json"))["outcome"] == "ok", result.text("r.json")
    before, after, state, before_back, after_back, state_back = result.text("stdout").splitlines()
    assert (state, state_back) == ("enabled", "enabled")
    for first, second in ((before, after), (before_back, after_back)):
        used = [int(b) - int(a) for a, b in zip(first.split(), second.split(), strict=True)]
        assert len(used) == 12
        assert min(used) > 0


def test_spread_takes_two_busy_tasks_apart_that_share_a_core(run_turns):
    together = [{"run_ms": 4, "starts_on": [2]}, {"run_ms": 4, "starts_on": [3]}]
    moved = run_turns("spread", "smt", together)
    apart = [a // 2 != b // 2 for a, b in zip(*moved, strict=False)]
    assert len(apart) > 30
    assert all(apart[5:])
    left = run_turns("spread", "smt", together, span_s=0.3, move_running=0)
    assert [cpus[:5] for cpus in left] == [[2] * 5, [3] * 5]


def test_spread_gives_each_of_four_tasks_a_core_as_they_wake_up(run_turns):
    sleepers = [{"run_ms": 4, "sleep_ms": 1} for _ in range(4)]
    turns = run_turns("spread", "smt", sleepers)
    assert len({cpu // 2 for cpus in turns for cpu in cpus}) == 4
    # Who comes back finds its core idle, or another one: turns end where nobody else's do.
    assert moves(turns, group=2) < sum(map(len, turns)) / 10


def test_a_sticky_task_comes_back_to_its_cpu_and_leaves_its_cache_less_often_than_under_one_line(run_turns):
    alone = run_turns("sticky", "llc", [{"run_ms": 1, "sleep_ms": 2, "starts_on": [5]}])
    assert len(alone[0]) > 100
    assert moves(alone) <= 3  # when another task happened to have its CPU
    assert moves(alone, group=4) == 0
    crowd = [{"run_ms": 3, "sleep_ms": 2} for _ in range(12)]
    sticky, fifo = (run_turns(name, "llc", crowd) for name in ("sticky", "fifo"))
    share = {name: moves(turns, 4) / sum(map(len, turns)) for name, turns in (("sticky", sticky), ("fifo", fifo))}
    assert share["fifo"] > 0.1
    assert share["sticky"] < share["fifo"] / 2


def test_tasks_stay_at_home_and_are_spread_over_the_nodes(run_turns):
    crowd = [{"run_ms": 3, "sleep_ms": 2} for _ in range(12)]
    turns = run_turns("home", "numa", crowd, remote_us=5000)
    shares = [sum(cpu < 4 for cpu in cpus) / len(cpus) for cpus in turns]
    assert all(share < 0.2 or share > 0.8 for share in shares), shares
    assert 4 <= sum(share > 0.8 for share in shares) <= 8


def test_a_task_that_runs_abroad_goes_home(run_turns):
    """Each is sent to a node by its mask, half of them to the one that is not their home, and then let go."""
    tasks = [{"run_ms": 4, "starts_on": [cpu]} for cpu in (0, 1)]
    at_home, abroad = (run_turns("home", "numa", tasks, span_s=0.4, go_home=goes) for goes in (1, 0))
    assert {cpu // 4 for cpus in abroad for cpu in cpus[:5]} == {0}
    # The first two tasks of all are shared out over the nodes: one is at home on the other.
    assert sorted({cpu // 4 for cpu in cpus[5:]} == {1} for cpus in at_home) == [False, True]


def test_cost_moves_the_less_the_more_it_costs(run_turns):
    crowd = [{"run_ms": 3, "sleep_ms": 2, "starts_on": [0, 1, 2, 3]} for _ in range(6)]
    free = run_turns("cost", "llc", crowd, core_us=0, cache_us=0)
    dear = run_turns("cost", "llc", crowd, cache_us=20000, cool_us=1000000)
    assert moves(dear, group=4) < moves(free, group=4) / 2
