"""A run with a model and tools, killed again and again: it goes on with nothing asked, called or measured twice."""

import contextlib
import json
import os
import re
import subprocess
import sys
import threading
from pathlib import Path

import pytest
from conftest import descendants, is_gone, wait_until
from llm.fake_server import MODEL, FakeServer, Turn, answer

from schedcp_gym.control.repository import open_library
from schedcp_gym.paths import PACKAGE

pytestmark = pytest.mark.guest

AGENTS = Path(__file__).parent / "agents"
BOOT_LIMIT_S = 300


def command(folder, server):
    """A run of the tests' own agent, measured anew; its model is the server's."""
    words = ["+agent=tool_user", f"hydra.searchpath=[file://{AGENTS / 'configs'}]", "workload=schbench", "cache=false"]
    words += ["budget.evaluations=6", "heldout.seeds=3", f"run.dir={folder}"]
    words += ["llm=server", f"llm.model=openai/{MODEL}", f"llm.api_base={server.url}"]
    return [sys.executable, "-m", "schedcp_gym.run", *words]


class Process:
    """A run, with what it has told so far."""

    def __init__(self, folder, server):
        path = os.pathsep.join([str(PACKAGE.parent), str(AGENTS)])
        self.process = subprocess.Popen(
            command(folder, server),
            env={**os.environ, "PYTHONPATH": path},
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )
        self.told = []
        self._reader = threading.Thread(target=lambda: self.told.extend(self.process.stderr))
        self._reader.start()

    def wait_until_it_runs(self, *lines):
        """Waits until it has told of these calls, in order, and a machine runs for the last one."""
        shape = re.compile(".*".join(map(re.escape, lines)), re.DOTALL)
        wait_until(lambda: shape.search("".join(self.told)) or self.process.poll() is not None, BOOT_LIMIT_S)
        wait_until(self.qemus, BOOT_LIMIT_S)

    def qemus(self):
        return [pid for pid, name in descendants(self.process.pid).items() if name.startswith("qemu-system")]

    def kill(self):
        """As the kernel does when memory is short: no word to anyone. Its machines end with it."""
        left = self.qemus()
        self.process.kill()
        self.end()
        wait_until(lambda: all(map(is_gone, left)), 20)

    def end(self):
        out = self.process.stdout.read()
        self.process.wait()
        self._reader.join()
        return out


@contextlib.contextmanager
def under_way(folder, server):
    """A run, gone afterwards in any case."""
    run = Process(folder, server)
    try:
        yield run
    finally:
        if run.process.poll() is None:
            run.kill()


def saved(folder):
    """What is on disk of it."""
    names = ("record.jsonl", "tools.jsonl", "llm/transcript.jsonl")
    return {name: (folder / name).read_text() if (folder / name).exists() else "" for name in names}


def lines(folder, name):
    return [json.loads(line) for line in (folder / name).read_text().splitlines()]


def test_a_run_that_is_killed_goes_on_where_it_was(tmp_path):
    folder = tmp_path / "run"
    with FakeServer(Turn(delay_s=600), answer("[200, 3000]"), answer("[700]")) as server:
        with under_way(folder, server) as run:
            run.wait_until_it_runs("submit_policy")
            run.kill()
        in_a_tool = saved(folder)
        assert [line["tool"] for line in lines(folder, "tools.jsonl")] == ["analyze_workload", "get_policy"]

        with under_way(folder, server) as run:
            assert server.reached(1)
            run.kill()
        in_an_answer = saved(folder)
        assert not any(line.startswith(("analyze_workload", "get_policy")) for line in run.told)

        with under_way(folder, server) as run:
            run.wait_until_it_runs("submit_policy", "measure_policy", "700")
            run.kill()
        in_an_evaluation = saved(folder)
        # The first iteration is behind it.
        calls = [line["tool"] for line in lines(folder, "tools.jsonl")]
        assert calls.count("measure_policy") == 3
        assert [line["evaluation"] for line in lines(folder, "tools.jsonl") if "evaluation" in line] == [1, 2, None]

        with under_way(folder, server) as run:
            out = run.end()
        assert run.process.returncode == 0, "".join(run.told)
        assert [line.split(":")[0] for line in run.told if re.match(r"[a-z]+_[a-z_]+", line)] == [
            "measure_policy",
            "get_feedback",
            "add_policy",
        ]

    at_its_end = saved(folder)
    for before, after in ((in_a_tool, in_an_answer), (in_an_answer, in_an_evaluation), (in_an_evaluation, at_its_end)):
        assert all(after[name].startswith(before[name]) for name in before)

    # Asked three times: the answer that never came is asked for again, in the same words.
    assert [seen.path for seen in server.seen] == ["/v1/chat/completions"] * 3
    assert server.seen[0].body == server.seen[1].body
    kinds = [line["kind"] for line in lines(folder, "record.jsonl")]
    assert kinds == ["baseline", "note", "evaluation", "evaluation", "note", "evaluation"] + ["heldout"] * 6
    trials = [line["measurement"]["trial"] for line in lines(folder, "record.jsonl") if line["kind"] == "evaluation"]
    assert len(set(trials)) == 3

    summary = json.loads((folder / "summary.json").read_text())
    assert summary["model"] == f"openai/{MODEL}"
    assert [each["evaluations"] for each in summary["iterations"]] == [2, 3]
    assert summary["cost"]["by_role"]["planning"]["calls"] == 3
    assert summary["ended_by"] == "the agent: it had nothing more to try"
    assert f"tool_user (openai/{MODEL}) on schbench: best of 3 evaluations" in out
    assert "after the first of 2 iterations" in out

    # What was measured of the drafts is in the run's repository with the policies they became, each once.
    repository = open_library(folder / "repository")
    slices = {number: [r.values["slice_us"] for r in repository.results(f"fifo-{number}")] for number in (1, 2)}
    assert {number: sorted(found) for number, found in slices.items()} == {1: [200, 3000], 2: [700]}
