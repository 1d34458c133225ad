"""What ``schedcp-gym compare`` prints, and what it leaves out."""

import json

import yaml
from rich.console import Console
from typer.testing import CliRunner

from schedcp_gym.bench.comparison import Score, compare_scores
from schedcp_gym.cli import app
from schedcp_gym.cli.compare import notes, scores_table
from schedcp_gym.files import append_line


def score(agent, task, seed, value):
    return Score("run", agent, task, seed, value, None, None, 4, 10.0, 0.0, 0.0)


def test_what_has_to_be_known_is_said():
    found = compare_scores([score("x", "a", 1, 0.1), score("y", "a", 1, 0.2), score("y", "b", 1, 0.2)], {})
    said = "\n".join(notes(found, {"evaluations=4", "evaluations=8"}))
    assert "no A/A control" in said
    assert "two seeds or more" in said
    assert "budgets differ" in said
    assert "x has no run on: b" in said
    even = compare_scores([score("x", "a", seed, 0.1) for seed in (1, 2)], {"a": [0.0]})
    assert len(notes(even, {"evaluations=4"})) == 2


def test_the_control_stands_beside_the_results():
    found = compare_scores([score("x", "a", seed, 0.1 * seed) for seed in (1, 2)], {"a": [0.0, 0.0]})
    console = Console(width=160, record=True)
    console.print(scores_table(found))
    *_, control = [line for line in console.export_text().splitlines() if line.strip()]
    assert "EEVDF against EEVDF" in control
    assert control.count("exactly 1x") == 2  # the figure, and its interval


def test_a_run_that_has_not_ended_is_named_and_left_out(tmp_path):
    config = {
        "workload": {"name": "schbench"},
        "machine": {"clock": "virtual"},
        "budget": {"evaluations": 4},
        "heldout": {"seeds": 3},
        "seed": 1,
        "run": {"agent": "eevdf"},
        "agent": {"_target_": "x.Y"},
    }
    (tmp_path / "config.yaml").write_text(yaml.safe_dump(config))
    append_line(tmp_path / "record.jsonl", {"kind": "note"})
    told = CliRunner().invoke(app, ["compare", str(tmp_path)])
    assert "has not ended" in told.stderr
    assert "none of these runs has ended" in str(told.exception)
    (tmp_path / "summary.json").write_text(json.dumps({"ok": 0, "ended_by": "the budget: evaluations=4"}))
    told = CliRunner().invoke(app, ["compare", str(tmp_path), "--json"])
    assert json.loads(told.stdout)["runs"][0]["score"] == -3.0
