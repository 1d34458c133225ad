"""Which workload a container's processes are."""

import pytest

from schedcp_gym.control.trigger.match import OncePer, Rule, check_overrides, find, load_rules
from schedcp_gym.control.trigger.processes import Process
from schedcp_gym.control.trigger.runtimes import Container
from schedcp_gym.spec import BadInput

PODMAN = Container("podman", "3f2a" * 16, f"machine.slice/libpod-{'3f2a' * 16}.scope")


def process(*command, name=None):
    return Process(7, (name or command[0].rpartition("/")[2])[:15], command)


@pytest.mark.parametrize(
    ("command", "workload"),
    [
        (["/usr/bin/redis-server", "*:6379"], "redis"),
        (["nginx:", "worker", "process"], "nginx"),
        (["make", "-j4"], "kernel-build"),
        (["/usr/bin/git", "add", "--all"], "git-add"),
        (["/usr/bin/git", "log"], None),
        (["perl", "libraries.t", "5"], "test-suite"),
        (["ffmpeg", "-i", "x"], "video-transcoding"),
        (["stress-ng-cpu"], "stress-ng"),
        (["bash"], None),
    ],
)
def test_the_catalogue_s_programs_are_known(command, workload):
    found = find(load_rules(), PODMAN, [process("conmon"), process(*command)])
    assert (found[0].workload if found else None) == workload


def test_all_that_a_rule_says_must_hold_for_one_process():
    rule = Rule("redis", process="redis*", command="*--appendonly yes*", runtime=("podman", "docker"))
    plain, keeps = process("redis-server"), process("redis-server", "--appendonly", "yes")
    assert rule.fits(PODMAN, [plain, keeps]) is keeps
    assert rule.fits(PODMAN, [plain, process("cat", "--appendonly", "yes")]) is None
    assert rule.fits(Container("lxc", "a", "lxc/a"), [keeps]) is None
    assert Rule("redis", cgroup="machine.slice/*").fits(PODMAN, [plain]) is plain
    assert Rule("redis", cgroup="system.slice/*").fits(PODMAN, [plain]) is None
    assert Rule("redis", cgroup="*").fits(PODMAN, []) is None
    long = process("/opt/a-very-long-program-name", "-x")
    assert Rule("redis", process="a-very-long-program-name").fits(PODMAN, [long]) is long


def test_the_first_rule_that_fits_counts(tmp_path):
    path = tmp_path / "mine.yaml"
    path.write_text(
        "match:\n"
        "  - {process: redis-server, runtime: docker, workload: redis}\n"
        "  - {process: [redis-server, keydb], workload: nginx, agent: eevdf, overrides: [scale=standard],"
        " once_per: workload}\n"
        "  - {cgroup: '*', workload: longtail}\n"
    )
    rules = load_rules([path])
    rule, by = find(rules, PODMAN, [process("sh"), process("keydb")])
    assert (rule.workload, rule.agent, rule.overrides) == ("nginx", "eevdf", ("scale=standard",))
    assert rule.once_per is OncePer.WORKLOAD
    assert by.name == "keydb"
    assert find(rules, PODMAN, [process("sh")])[0].workload == "longtail"


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("match: [{process: x, workload: rediss}]", "unknown workload 'rediss'; did you mean redis?"),
        ("match: [{process: x, workload: redis, agent: sched}]", "unknown agent 'sched'"),
        ("match: [{workload: redis}]", "it matches everything"),
        ("match: [{process: x, workload: redis, proces: y}]", "match.0.proces"),
        ("match: {process: x}", "match: Input should be a valid list"),
        ("match: [{process: x, workload: redis, overrides: [seed]}]", "NAME=VALUE, not 'seed'"),
        ("match: [{process: x, workload: redis, overrides: ['run.dir=/']}]", "run.dir is set by the watcher"),
        ("match: [{process: x, workload: redis, once_per: day}]", "once_per"),
        ("rules: []", "must have `match:`"),
    ],
)
def test_a_wrong_file_is_told(tmp_path, text, says):
    path = tmp_path / "mine.yaml"
    path.write_text(text)
    with pytest.raises(BadInput) as caught:
        load_rules([path])
    assert says in str(caught.value)
    assert str(path) in str(caught.value)
    assert len(str(caught.value).splitlines()) <= 2


@pytest.mark.parametrize("setting", ["hydra.run.dir=x", "+agent=eevdf", "workload=redis", "-m", "--multirun", "x y"])
def test_a_run_is_not_given_what_is_ours(setting):
    with pytest.raises(BadInput):
        check_overrides([setting])


def test_settings_may_be_of_any_form_that_hydra_knows():
    good = ("seed=1", "+agent.rounds=2", "++a.b=c=d", "~heldout.seeds=", "llm=offline")
    assert check_overrides(good) == good
