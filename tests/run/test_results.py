"""Runs' folders as one table."""

import json
import subprocess
import sys

import pytest
import yaml

import schedcp_gym
from schedcp_gym.files import append_line
from schedcp_gym.spec import BadInput
from tests.record_lines import line


def make_run(folder, agent, seed, rewards):
    folder.mkdir(parents=True)
    config = {
        "run": {"agent": agent},
        "workload": {"name": "schbench"},
        "seed": seed,
        "llm": {"model": "offline/rules"},
    }
    (folder / "config.yaml").write_text(yaml.safe_dump(config))
    for step, reward in enumerate(rewards):
        append_line(folder / "record.jsonl", line(reward=reward, step=step, tunables={"slice_us": 9}))


def test_a_folder_of_runs_is_one_table(tmp_path):
    make_run(tmp_path / "sweep" / "one", "random_search", 1, [0.1, 0.4])
    make_run(tmp_path / "two", "eevdf", 2, [0.0])
    make_run(tmp_path / "three", "naive_agent", 2, [-3.0])
    (tmp_path / "sweep/one/best.json").write_text(json.dumps({"reward": 0.4, "heldout": {"rewards": [0.1, 0.3]}}))
    (tmp_path / "three/summary.json").write_text(json.dumps({"ok": 0, "ended_by": "the budget: evaluations=1"}))
    table = schedcp_gym.load_results(tmp_path)
    assert len(table) == 4
    assert table["result.reward"].tolist() == [0.1, 0.4, -3.0, 0.0]
    assert table["run"].tolist() == ["sweep/one", "sweep/one", "three", "two"]
    final = table.groupby("agent")["final_reward"].first()
    assert final["random_search"] == pytest.approx(0.2)  # not the search's best, 0.4
    assert final["naive_agent"] == -3.0
    assert final.isna()["eevdf"]
    assert set(table["config.slice_us"]) == {9}
    assert schedcp_gym.load_results(tmp_path / "two")["run"].tolist() == ["two"]


def test_no_run_is_told(tmp_path):
    with pytest.raises(BadInput, match="no run"):
        schedcp_gym.load_results(tmp_path)


def test_import_brings_nothing_heavy():
    code = "import sys, schedcp_gym; sys.exit('pandas' in sys.modules or 'scipy' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code]).returncode == 0
