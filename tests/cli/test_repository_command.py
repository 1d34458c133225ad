"""``schedcp-gym repository``, as a person runs it."""

import json
import shutil

import pytest
from typer.testing import CliRunner

from schedcp_gym.cli import app
from schedcp_gym.control.repository import open_library
from schedcp_gym.paths import POLICIES
from schedcp_gym.spec import SchedcpError, source_sha256


@pytest.fixture(scope="module")
def made(tmp_path_factory):
    folder = tmp_path_factory.mktemp("made")
    open_library(folder)
    return folder


@pytest.fixture
def run(made, tmp_path):
    store = tmp_path / "store"
    shutil.copytree(made, store)

    def call(*arguments, **more):
        answer = CliRunner().invoke(app, ["repository", *arguments, "--store", str(store)], **more)
        if answer.exception and not isinstance(answer.exception, SystemExit):
            raise answer.exception
        assert answer.exit_code == 0, answer.output
        return answer.output

    return call


def test_search_prints_a_table_and_json(run):
    assert "ljf" in run("search", "keep one long job from finishing last")
    rows = json.loads(run("search", "keep one long job from finishing last", "--limit", "2", "--json"))
    assert rows[0]["name"] == "ljf"
    assert len(rows) == 2
    assert "source" not in rows[0]
    assert "burst-prediction" in run("search", "predict bursts", "--kind", "primitive")
    assert "nothing found" in run("search", "queue", "--machine", "nowhere")


def test_add_show_export_import(run, tmp_path):
    mine = tmp_path / "mine.bpf.c"
    mine.write_text((POLICIES / "ljf.bpf.c").read_text().replace("ljf:", "mine:") + "\n")
    assert "mine" in run("add", str(mine), "--from", "ljf", "--workload", "longtail")
    assert "there already" in run("add", str(mine), "--name", "other")
    run("add", "mine", "--name", "mine-ember", "--set", "favour=ember")
    lines = tmp_path / "lines.jsonl"
    with lines.open("w") as file:
        for seed in range(6):
            result = {"kind": "result", "policy": "mine", "workload": "longtail", "outcome": "ok", "seed": seed}
            result |= {"metrics": {"makespan_s": 4.0}, "reward": 0.5 + seed / 100, "machine": "virtual-2cpu-1024mib"}
            file.write(json.dumps(result) + "\n")
    assert "6 results" in run("import", str(lines))
    shown = run("show", "mine")
    for words in ("promoted", "patched from ljf", "made from it: mine-ember", "1.69x", "longtail"):
        assert words in shown
    details = json.loads(run("show", "mine", "--json"))
    assert details["source_sha256"] == source_sha256(details["source"])  # as in records of runs
    assert details["standings"][0]["proven"]
    assert run("show", "mine", "--source").strip() == mine.read_text().strip()
    assert "1.69x" in run("search", "long job")
    assert "0 policies, 0 results" in run("import", "-", input=run("export"))
    names = [row["name"] for row in json.loads(run("list", "--status", "promoted", "--json"))]
    assert names == ["mine"]


def test_show_and_list_primitives(run):
    shown = run("show", "patience")
    assert "serve_impatient" in shown
    assert "lottery" in shown
    assert "#include <schedcp/tunable.bpf.h>" in run("show", "patience", "--source")
    assert "wake-graph" in run("list", "--kind", "primitive")
    assert "batch-where-it-is-bad" in run("list", "--kind", "all", "--json")


def test_what_a_policy_says_of_itself_does_not_reach_the_terminal(run, tmp_path):
    evil = tmp_path / "evil.bpf.c"
    evil.write_text("/*\n * evil: [red]\x1b]0;owned\x07 quagga.\n */\nint x;\n")
    run("add", str(evil))
    for output in (run("show", "evil"), run("search", "quagga"), run("list")):
        assert "\x1b]0" not in output
        assert "[red]" in output


@pytest.mark.parametrize(
    "arguments",
    [
        ("show", "fifoo"),
        ("search", "x", "--class", "batsh"),
        ("search", "x", "--kind", "wish"),
        ("list", "--status", "great"),
        ("list", "--kind", "primitive", "--class", "batch"),
        ("add", "nowhere.bpf.c"),
        ("add", "fifo"),
        ("add", "fifo", "--name", "a/b", "--set", "slice_us=500"),
        ("add", "fifo", "--name", "a", "--set", "slice_us=1"),
        ("import", "nowhere.jsonl"),
        ("import", "/proc/self/exe"),
        ("export", "/nowhere/x"),
    ],
)
def test_mistakes_are_told_in_two_lines(run, arguments):
    with pytest.raises(SchedcpError) as error:
        run(*arguments)
    assert 1 <= len(str(error.value).splitlines()) <= 2
