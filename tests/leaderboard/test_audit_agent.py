"""An agent's choice, its model and its costs have to be borne out by the run's files."""

import json
import types

import pytest
import yaml

from schedcp_gym.files import append_line
from schedcp_gym.leaderboard.audit_agent import audit_agent, own_targets
from schedcp_gym.run.folder import open_run
from tests.record_lines import call, line, note

SCHED = "schedcp_gym.baselines.sched_agent.agent.SchedAgent"
RANDOM = "schedcp_gym.baselines.random_search.RandomSearch"

SEED = 508082495  # the first that seed 1 draws


@pytest.fixture
def run(tmp_path):
    """As a sched_agent's, in which the second of two policies was verified and chosen; ``say`` changes a file."""
    config = {
        "run": {"agent": "sched_agent"},
        "agent": {"_target_": SCHED},
        "workload": {"name": "schbench"},
        "machine": {},
        "heldout": {},
        "seed": 1,
        "budget": {"evaluations": 9},
    }
    entries = [
        line("baseline", "e", workload_seed=SEED, measurement={"job_s": 4.0}),
        *(line(trial=str(n), policy=f"p{n}", measurement={"job_s": 4.0}) for n in (1, 2)),
        note(chosen={"evaluation": 2}),
    ]
    data = {"policy": "p2", "tunables": {}, "passed": True, "token": "scp1.x", "guest_s": 7.0}
    append_line(tmp_path / "tools.jsonl", call("submit_policy", data))

    def write():
        (tmp_path / "config.yaml").write_text(yaml.safe_dump(config))
        (tmp_path / "record.jsonl").write_text("".join(json.dumps(one) + "\n" for one in entries))
        (tmp_path / "summary.json").write_text(json.dumps({"model": run.model}))

    run = types.SimpleNamespace(folder=tmp_path, config=config, entries=entries, model="offline-rules", write=write)
    return run


def told(run):
    run.write()
    return [one.reason for one in audit_agent(open_run(run.folder))]


def test_what_is_borne_out_is_accepted(run):
    assert told(run) == []
    run.config["budget"]["virtual_s"] = 13.0  # 19 in all: the last to begin did so at 12 or more
    assert told(run) == []


def test_a_run_of_another_seed_is_refused(run):
    run.config["seed"] = 2
    assert "with the run's seed, 2, it must be 899339824" in told(run)[0]


@pytest.mark.parametrize("number", [0, -1, 3, None, 1.5])
def test_a_choice_of_nothing_is_refused(run, number):
    run.entries[-1]["chosen"]["evaluation"] = number
    assert told(run) == [f"it chooses evaluation {number} of 2"]


def test_a_choice_that_was_not_verified_is_refused(run):
    run.entries[-1]["chosen"]["evaluation"] = 1
    assert "chooses p1 as verified" in told(run)[0]


def test_a_model_that_is_hidden_or_made_up_is_refused(run):
    assert {SCHED, RANDOM} <= own_targets()
    run.config["agent"]["_target_"] = RANDOM
    assert told(run) == ["sched_agent uses no language model, but one is named"]
    run.model = None
    assert told(run) == []
    run.config["agent"]["_target_"] = SCHED
    assert told(run) == ["sched_agent uses a language model, but none is named"]
    run.config["agent"]["_target_"] = "entrys.own.Code"  # not loaded
    assert told(run) == []


def test_costs_below_nothing_and_guest_seconds_above_the_budget_are_refused(run):
    run.config["budget"]["virtual_s"] = 12.0
    assert told(run) == ["19.0 guest seconds were used, including tools; budget.virtual_s=12"]
    cheap = {"call": 0, "role": "r", "model": "a/b", "request_sha256": "", "attempt": 1, "outcome": "ok", "usd": -1.0}
    (run.folder / "llm").mkdir()
    append_line(run.folder / "llm/ledger.jsonl", {"kind": "end", **cheap})
    append_line(run.folder / "tools.jsonl", call("analyze", {"guest_s": -9.0}))
    assert told(run) == ["call 0 has a negative cost", "its guest seconds are negative"]
