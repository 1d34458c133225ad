"""A run's tools over a real control plane: what boots nothing."""

import contextlib
import hashlib
import json

import gymnasium as gym
import pytest

import schedcp_gym.envs  # noqa: F401 (registers the environments)
from schedcp_gym.envs.wrappers import Budgeted, BudgetSpent, Ledger
from schedcp_gym.llm import ToolCall
from schedcp_gym.run.settings import read_settings
from schedcp_gym.run.tools import open_tools
from schedcp_gym.spec import BadInput, Measurement, Outcome

SETTINGS = {"workload": {"name": "schbench"}, "machine": {}, "heldout": {}}
NAMES = ("fifo", "vtime")
FIFO = {"workload": "schbench", "policy": "fifo"}


@contextlib.contextmanager
def tools_in(folder, *, begun=True, over=False, **budget):
    """The toolbox of a run in a folder, its ledger, and what it has told."""
    settings = read_settings({**SETTINGS, "budget": {"evaluations": 3, **budget}})
    ledger = Ledger(settings.budget)
    task = gym.make("SchedCP/Schbench-Synth-v0", disable_env_checker=True).unwrapped
    if begun:
        task.workload_seed, task.baseline = 7, Measurement("t", Outcome.OK)
    if over:
        task.max_steps = 0
    told = []
    with open_tools(
        settings,
        folder,
        Budgeted(task, ledger),
        ledger,
        author="tester",
        report=lambda *_: None,
        named=lambda policy: None,
        tell=told.append,
        progress=lambda text: None,
    ) as box:
        box.task = task
        yield box, ledger, told


def journal(folder):
    return [json.loads(line) for line in (folder / "tools.jsonl").read_text().splitlines()]


def test_a_run_has_the_tools_of_the_control_plane_but_for_deployments_half_way(tmp_path):
    with tools_in(tmp_path) as (box, _, _):
        names = {tool.name for tool in box.tools()}
        assert {"analyze_workload", "search_repository", "submit_policy", "measure_policy", "deploy_policy"} <= names
        assert not names & {"deployment_status", "stop_deployment"}
        assert (
            "there is no deployment_status in a run"
            in box.call("deployment_status", {"deployment": "deployment-1"}).text
        )
        found = box.call("list_workloads", {})
        assert "schbench" in found.text
        assert "longtail" not in found.text


@pytest.mark.parametrize(
    ("arguments", "text"),
    [
        ({"policy": "fifo"}, "workload"),
        ({**FIFO, "workload": "longtail"}, "this run is on schbench"),
        ({"workload": "schbench"}, "either `policy`"),
        ({**FIFO, "source": "int x;"}, "either `policy`"),
        ({**FIFO, "policy": "fifi"}, "did you mean fifo"),
        ({**FIFO, "policy": "../../etc/passwd"}, "no policy"),
        ({**FIFO, "policy": "draft-0123456789ab"}, "submit its source again"),
        ({**FIFO, "policy": "eevdf"}, "all policies are compared with EEVDF"),
        ({**FIFO, "tunables": {"slice": 3}}, "slice"),
        ({**FIFO, "tunables": {"slice_us": -3}}, "slice_us"),
        ({**FIFO, "tunables": [1]}, "tunables"),
        ({**FIFO, "seed": 3}, "seed"),
        ({"workload": "schbench", "source": "  "}, "empty"),
        ({"workload": "schbench", "source": "\ud800"}, "no text"),
        ({"workload": "schbench", "source": "x" * 100_000}, "100000 characters"),
    ],
)
def test_a_wrong_measurement_costs_nothing(plain_box, arguments, text):
    box, ledger, folder = plain_box
    before = len(journal(folder)) if (folder / "tools.jsonl").exists() else 0
    result = box.call("measure_policy", arguments)
    assert result.is_error
    assert text in result.text
    assert ledger.evaluations == 0
    assert [line["evaluation"] for line in journal(folder)[before:]] == [None]


@pytest.fixture(scope="module")
def plain_box(tmp_path_factory):
    folder = tmp_path_factory.mktemp("run")
    with tools_in(folder) as (box, ledger, _):
        yield box, ledger, folder


def test_before_an_episode_has_begun_there_is_nothing_to_ask(tmp_path):
    with tools_in(tmp_path, begun=False) as (box, _, _), pytest.raises(BadInput, match=r"env\.reset"):
        box.call("list_policies", {})


def test_no_tool_runs_when_the_guest_seconds_are_spent(tmp_path):
    with tools_in(tmp_path, virtual_s=5) as (box, ledger, _):
        box.call("list_policies", {})
        ledger.virtual_s = 5.0
        with pytest.raises(BudgetSpent):
            box.call("list_policies", {})
    assert len(journal(tmp_path)) == 1


def test_evaluations_that_are_spent_stop_measurements_only(tmp_path):
    with tools_in(tmp_path) as (box, ledger, _):
        ledger.evaluations = 3
        assert not box.call("list_policies", {}).is_error
        with pytest.raises(BudgetSpent):
            box.call("measure_policy", FIFO)


@pytest.mark.parametrize("first", ["get_feedback", "get_policy"])
def test_what_is_asked_before_the_next_measurement_is_about_the_episode_that_is_over(tmp_path, first):
    others = [ToolCall(str(number), "measure_policy", {**FIFO, "policy": name}) for number, name in enumerate(NAMES)]
    with tools_in(tmp_path, over=True) as (box, _, _):
        box.prepare([ToolCall("a", first, {"policy": "fifo"})])
        box.prepare([ToolCall("a", first, {"policy": "fifo"}), *others])
        assert box.task.workload_seed == 7


def test_a_run_that_goes_on_is_told_the_same_and_knows_its_drafts(tmp_path):
    source = "// a policy of one's own\nint x;\n"

    def use(box):
        results = [box.call("search_repository", {"query": "short jobs first"})]
        results += [box.call("measure_policy", {"workload": "schbench", "source": source, "tunables": {"no": 1}})]
        return results

    with tools_in(tmp_path) as (box, _, told):
        before = use(box)
    assert [line for line in told if line.startswith("search")] == ["search_repository: query=short jobs first"]
    written = (tmp_path / "tools.jsonl").read_text()
    with tools_in(tmp_path) as (box, _, told):
        assert use(box) == before
        assert not [line for line in told if line.startswith("search")]
        assert (tmp_path / "tools.jsonl").read_text() == written
        draft = f"draft-{hashlib.sha256(source.encode()).hexdigest()[:12]}"
        assert "a policy of one's own" in box.call("get_policy", {"policy": draft}).text


def test_the_repository_is_fresh_or_as_the_settings_say(tmp_path):
    with tools_in(tmp_path):
        pass
    assert (tmp_path / "repository" / "store.json").is_file()
    shared = {**SETTINGS, "budget": {"evaluations": 1}, "repository": str(tmp_path / "shared")}
    task = gym.make("SchedCP/Schbench-Synth-v0", disable_env_checker=True).unwrapped
    settings = read_settings(shared)
    quiet = {"report": lambda *_: None, "named": lambda _: None, "tell": lambda _: None, "progress": lambda _: None}
    with open_tools(settings, tmp_path / "other", task, Ledger(settings.budget), author="a", **quiet):
        pass
    assert (tmp_path / "shared" / "store.json").is_file()
