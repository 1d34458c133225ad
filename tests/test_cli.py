"""The command line: what it lists, and what it says of bad input."""

import json
import logging
import sys

import pytest

import schedcp_gym
from schedcp_gym import cli
from schedcp_gym.lab import catalogue


@pytest.fixture
def command(monkeypatch, capsys):
    """Runs the command in this process; gives its exit status, output and errors."""
    handlers, level = logging.root.handlers[:], logging.root.level

    def run(*words):
        monkeypatch.setattr(sys, "argv", ["schedcp-gym", *words])
        try:
            cli.main()
            status = 0
        except SystemExit as end:
            status = end.code or 0
        out, err = capsys.readouterr()
        return status, out, err

    yield run
    logging.root.handlers[:] = handlers
    logging.root.setLevel(level)


@pytest.mark.parametrize(
    ("words", "says"),
    [
        (["evaluate", "fifoo", "schbench"], "unknown policy 'fifoo'; did you mean fifo?"),
        (["evaluate", "fifo", "shbench"], "unknown workload 'shbench'; did you mean schbench"),
        (["evaluate", "./nosuch.bpf.c", "schbench"], "no policy file './nosuch.bpf.c'"),
        (["evaluate", "fifo", "schbench", "--set", "slice=5"], "unknown tunable 'slice'; this policy has: slice_us"),
        (["evaluate", "fifo", "schbench", "--set", "slice_us=5"], "slice_us=5 is out of range: 100 to 1000000 us"),
        (["evaluate", "fifo", "schbench", "--set", "slice_us"], "--set takes NAME=VALUE, not 'slice_us'"),
        (["evaluate", "fifo", "schbench", "--set", "=5"], "--set takes NAME=VALUE"),
        (["evaluate", "fifo", "schbench", "--set", "slice_us=many"], "slice_us takes a whole number, not 'many'"),
        (["evaluate", "ljf", "longtail", "--set", "favour=a b"], "favour takes up to 15"),
        (["evaluate", "eevdf", "schbench", "--set", "slice_us=5"], "it has none"),
        (["evaluate", "fifo", "schbench", "--kernel", "nosuch"], "unknown kernel 'nosuch': use debian"),
        (["image", "info", "--kernel", "nosuch"], "unknown kernel 'nosuch': use debian"),
        (["image", "build", "--kernel", "nosuch"], "unknown kernel 'nosuch': use debian"),
        (["list", "policy"], "unknown kind of thing 'policy'; did you mean policies?"),
        (["evaluate", "fifo", "schbench", "--scale", "smoke5"], "unknown scale 'smoke5'; did you mean smoke?"),
        (["evaluate", "fifo", "schbench", "--clock", "wall"], "unknown clock 'wall'; there are: real, virtual"),
        (["bench", "fiffo"], "unknown policy 'fiffo'; did you mean fifo?"),
        (["bench", "fifo", "-w", "shbench"], "unknown workload 'shbench'; did you mean schbench"),
        (["bench", "fifo", "-w", "nosuch*"], "unknown workload 'nosuch*'; there are: "),
        (["bench", "fifo", "--scale", "tiny"], "unknown scale 'tiny'; there are: full, smoke, standard"),
        (["bench", "fifo", "--objective", "nosuch"], "unknown objective 'nosuch'"),
        (["bench", "fifo", "-w", "longtail", "--objective", "nosuch"], "unknown objective of longtail 'nosuch'"),
        (["bench", "fifo", "vtime", "--set", "slice_us=500"], "write --set fifo.slice_us or vtime.slice_us"),
        (["bench", "fifo", "--set", "vtime.slice_us=500"], "write --set fifo.slice_us"),
        (["bench", "fifo", "--set", "fifo.slice_us=5"], "slice_us=5 is out of range"),
        (["bench", "fifo", "--repeats", "2"], "on the virtual clock every repeat gives the same"),
        (["bench", "fifo", "--plot", "x.jpg"], "--plot takes a file that ends in .html, .png, .svg, .pdf"),
        (["bench", "fifo", "--csv", "no/such/folder/x.csv"], "there is no folder no/such/folder"),
        (["compare-clocks", "shbench"], "unknown workload 'shbench'; did you mean schbench"),
        (["compare-clocks", "schbench", "--policy", "fiffo"], "unknown policy 'fiffo'"),
    ],
)
def test_bad_input_is_said_in_a_line_or_two_with_status_2(command, words, says):
    status, out, err = command(*words)
    assert status == 2
    assert out == ""
    assert err.startswith("error: ")
    assert says in err
    assert len(err.splitlines()) <= 2


@pytest.mark.parametrize(
    ("words", "says"),
    [
        (["evaluate", "fifo", "schbench", "--seed", "-1"], "--seed"),
        (["evaluate", "fifo", "schbench", "--seed", str(2**31)], "--seed"),
        (["evaluate", "fifo", "schbench", "--cpus", "0"], "--cpus"),
        (["evaluate", "fifo", "schbench", "--cpus", "17"], "--cpus"),
        (["evaluate", "fifo", "schbench", "--memory-mib", "64"], "--memory-mib"),
        (["evaluate", "fifo", "schbench", "--max-job-s", "0"], "--max-job-s"),
        (["evaluate", "fifo", "schbench", "--max-job-s", "nan"], "max"),
        (["evaluate", "fifo", "schbench", "--max-host-s", "nan"], "max"),
        (["evaluate", "fifo", "schbench", "--nosuch"], "--nosuch"),
        (["evaluate", "fifo"], "workload"),
        (["bench"], "POLICY"),
        (["bench", "fifo", "--repeats", "0"], "--repeats"),
        (["nosuch"], "nosuch"),
    ],
)
def test_an_option_that_can_not_be_is_named_with_status_2(command, words, says):
    status, _, err = command(*words)
    assert status == 2
    assert says in err
    assert "Traceback" not in err


def test_policies_are_listed_with_their_tunables(command):
    status, out, _ = command("list", "policies", "--json")
    rows = json.loads(out)
    assert status == 0
    assert [row["policy"] for row in rows] == catalogue.policy_names()
    fifo = next(row for row in rows if row["policy"] == "fifo")
    (slice_us,) = fifo["tunables"]
    assert slice_us["range"] == [100, 1_000_000]
    assert slice_us["unit"] == "us"
    assert "queue" in fifo["what"]


def test_workloads_are_listed_with_their_objective_and_metrics(command):
    rows = {row["workload"]: row for row in json.loads(command("list", "workloads", "--json")[1])}
    assert set(rows) == set(catalogue.workload_names())
    assert rows["longtail"]["objective"] == "makespan_s"
    assert "p99_request_us" in rows["schbench"]["metrics"]


@pytest.mark.parametrize(("kind", "key", "some"), [("envs", "env", "SchedCP/"), ("agents", "agent", "random_search")])
def test_envs_and_agents_are_listed(command, kind, key, some):
    rows = json.loads(command("list", kind, "--json")[1])
    assert any(row[key].startswith(some) for row in rows)


@pytest.mark.parametrize("kind", ["policies", "workloads", "envs", "agents", "profiles"])
def test_every_list_has_a_table_for_people_without_colours_in_a_pipe(command, kind):
    status, out, _ = command("list", kind)
    assert status == 0
    assert kind[:-1].replace("ie", "y")[:4] in out
    assert "\x1b" not in out


def test_an_image_that_is_not_built_is_said_with_how_to_build_it(command, tmp_path, monkeypatch):
    monkeypatch.setenv("SCHEDCP_CACHE", str(tmp_path))
    status, out, err = command("image", "info")
    assert (status, out) == (1, "")
    assert err == "error: the image is not built: `schedcp-gym image build`\n"


def test_a_missing_tool_has_status_3(command, tmp_path, monkeypatch):
    monkeypatch.setenv("SCHEDCP_CACHE", str(tmp_path))
    monkeypatch.setenv("PATH", str(tmp_path))
    status, _, err = command("image", "build")
    assert status == 3
    assert "apt-get install mmdebstrap" in err


@pytest.mark.parametrize("words", [["--help"], ["evaluate", "--help"], ["image", "--help"], ["list", "--help"]])
def test_help_is_there(command, words):
    status, out, _ = command(*words)
    assert status == 0
    assert "Usage" in out


def test_version(command):
    assert command("--version") == (0, f"{schedcp_gym.__version__}\n", "")
