"""The whole of it: offline rules, the control plane's tools, a real kernel; a policy that is verified and deployed."""

import json

import pytest

from sched_agent.conftest import make
from schedcp_gym.run.search import Run
from schedcp_gym.run.settings import read_settings

CONFIG = {
    "workload": {"name": "longtail"},
    "machine": {},
    "heldout": {"seeds": 3},
    "budget": {"evaluations": 2},
    "seed": 3,
    "llm": {"model": "offline/rules", "seed": 3},
}


def carried_out(folder):
    run = Run(read_settings(CONFIG), make(rounds=1), "sched_agent", folder)
    run.carry_out()
    return run


@pytest.mark.guest
def test_a_policy_is_found_verified_deployed_and_holds_on_unseen_seeds(tmp_path):
    carried_out(tmp_path)
    best = json.loads((tmp_path / "best.json").read_text())
    assert best["verified"]
    # The long job is named by the seed; on others the run names theirs.
    assert best["heldout"]["improvement"]["low"] > 1.2
    assert len({json.dumps(tunables) for tunables in best["heldout"]["tunables"]}) == 3
    called = [json.loads(line) for line in (tmp_path / "tools.jsonl").read_text().splitlines()]
    deployed = [call["data"] for call in called if call.get("tool") == "deploy_policy"]
    assert [each["state"] for each in deployed] == ["kept"]
    assert deployed[0]["policy"] == best["policy"]
    # The same command in the same folder does all of it again and adds nothing: neither calls, nor measurements.
    before = {path.name: path.read_bytes() for path in tmp_path.glob("*.jsonl")}
    again = carried_out(tmp_path)
    assert {path.name: path.read_bytes() for path in tmp_path.glob("*.jsonl")} == before
    assert again.ledger.evaluations == 2
