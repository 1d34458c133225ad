"""What runs cost, out of their folders."""

import json

import pytest
import yaml
from typer.testing import CliRunner

from schedcp_gym.cli import app
from schedcp_gym.files import append_line
from schedcp_gym.llm import CallEntry, CallOutcome, Prices
from schedcp_gym.llm.ledger import CallLedger
from schedcp_gym.run.costs import by_agent, read_costs
from schedcp_gym.run.folder import open_run
from schedcp_gym.spec import BadInput, SchedcpError
from tests import record_lines


def call(ledger, role="naive", model="openai/gpt-5", **more):
    fields = {"prompt_tokens": 1000, "completion_tokens": 500, "usd": 0.01, "host_s": 2.0, **more}
    entry = CallEntry(
        call=0, role=role, model=model, request_sha256="0" * 64, attempt=1, outcome=CallOutcome.OK, **fields
    )
    begun = ledger.begin(entry)
    ledger.end(begun)


def measured(kind, trial, outcome="ok", reward=0.0, source="a", **tunables):
    policy = "eevdf" if kind == "baseline" else "synth"
    same = {"policy": policy, "source_sha256": source, "tunables": tunables, "measurement": {"job_s": 2.0}}
    return record_lines.line(kind, trial, outcome, reward, **same)


def make_run(folder, agent, calls, entries, tools=()):
    (folder / "llm").mkdir(parents=True)
    config = {"run": {"agent": agent}, "workload": {"name": "schbench"}}
    (folder / "config.yaml").write_text(yaml.safe_dump(config))
    ledger = CallLedger(folder / "llm" / "ledger.jsonl")
    for more in calls:
        call(ledger, **more)
    for entry in entries:
        append_line(folder / "record.jsonl", entry)
    for entry in tools:
        append_line(folder / "tools.jsonl", record_lines.call(**entry))
    return folder


@pytest.fixture
def sched(tmp_path):
    entries = [
        measured("baseline", "b"),
        measured("evaluation", "t1", reward=0.1),
        measured("evaluation", "t1", reward=0.1),
        measured("evaluation", "t2", reward=0.4, slice_us=3),
        measured("heldout", "h"),
    ]
    submit = {"tool": "submit_policy", "data": {"passed": True, "token": "t", "policy": "p", "guest_s": 4.0}}
    tools = [submit, submit, {"tool": "measure_policy", "data": {"guest_s": 2.0}}]
    return make_run(tmp_path / "sched", "sched_agent", [{"role": "planning"}, {"role": "execution"}], entries, tools)


@pytest.fixture
def naive(tmp_path):
    entries = [
        measured("baseline", "b"),
        measured("evaluation", "t3", "rejected", -3.0, "x"),
        measured("evaluation", "t4", "ok", -0.2, "y"),
    ]
    return make_run(tmp_path / "naive", "naive_agent", [{}] * 10, entries)


def test_costs_by_what_counts_as_a_policy(sched, naive):
    one, other = read_costs(open_run(sched)), read_costs(open_run(naive))
    assert (one.evaluations, one.working, one.better, one.verified) == (3, 2, 2, 1)
    assert (one.spent.calls, one.spent.tokens, one.spent.usd, one.spent.model_host_s) == (2, 3000, 0.02, 4.0)
    assert one.spent.guest_s == 2 + 3 * 2 + 2 * 4  # the baseline, evaluations, tools; nothing twice, no held-out test
    shares = one.shares()
    assert [shares[name].calls for name in shares] == [1, 1, 2, 2]
    assert (other.working, other.better, other.verified) == (1, 0, None)
    shares = other.shares()
    assert shares["working policy"].tokens == 15_000
    assert shares["policy better than EEVDF"] is None
    assert shares["verified policy"] is None


def test_the_same_prices_for_all(naive):
    assert read_costs(open_run(naive), Prices(3, 15)).spent.usd == pytest.approx(10 * (3 * 1000 + 15 * 500) / 1e6)


def test_an_unknown_price_is_not_0(tmp_path):
    folder = make_run(tmp_path / "run", "naive_agent", [{}, {"usd": None}], [])
    assert read_costs(open_run(folder)).spent.usd is None


def test_runs_of_an_agent_are_summed_up(sched, naive, tmp_path):
    more = make_run(tmp_path / "more", "naive_agent", [{}] * 2, [measured("evaluation", "t9", reward=0.2)])
    first, second = by_agent([read_costs(open_run(folder)) for folder in (sched, naive, more)])
    assert (first.name, first.runs, second.name, second.runs) == ("sched_agent", 1, "naive_agent", 2)
    assert (second.spent.calls, second.working, len(second.best_rewards)) == (12, 2, 2)
    assert second.shares()["best policy"].calls == 6


def test_the_table_compares_with_the_first_and_names_stand_ins(sched, naive, tmp_path):
    folder = make_run(tmp_path / "rules", "naive_agent", [{"model": "offline/rules", "usd": 0.0}], [])
    told = CliRunner().invoke(app, ["costs", str(sched), str(naive), str(folder)])
    assert told.exit_code == 0
    lines = [line.split() for line in told.output.splitlines()]
    per_working = lines.index(["per", "working", "policy"])
    assert lines[per_working + 1] == ["calls", "1", "10", "(10.0x)", "-"]
    assert lines[per_working + 2] == ["tokens", "1,500", "15,000", "(10.0x)", "-"]
    assert "offline-rules (no LLM)" in told.output
    assert "rules: offline-rules is no language model, and none was called: tokens (~) are estimates" in told.output
    assert "the runs used different models" in told.output


def test_json_and_agents(sched, naive):
    told = CliRunner().invoke(app, ["costs", str(sched), str(naive), "--by-agent", "--prices", "1,2", "--json"])
    found = json.loads(told.output)
    assert [one["agent"] for one in found] == ["sched_agent", "naive_agent"]
    assert found[0]["per_working_policy"]["usd"] == pytest.approx(0.002)
    assert found[1]["per_policy_better_than_eevdf"] is None
    assert set(found[0]["by_role"]) == {"execution", "planning"}


def test_what_is_no_run(tmp_path, sched):
    with pytest.raises(BadInput, match="is not a run's folder"):
        read_costs(open_run(tmp_path))
    append_line(sched / "record.jsonl", {"kind": "evaluation"})
    with pytest.raises(SchedcpError, match=r"line 6 is damaged: .*Field required"):
        read_costs(open_run(sched))
    (sched / "config.yaml").write_text("[1")
    with pytest.raises(SchedcpError, match="damaged"):
        read_costs(open_run(sched))


@pytest.mark.parametrize("prices", ["3", "a,b", "-1,2", "1,2,3"])
def test_prices_that_are_none(sched, prices):
    told = CliRunner().invoke(app, ["costs", str(sched), "--prices", prices])
    assert isinstance(told.exception, BadInput)
