"""Scores of runs: a run that found nothing counts as the worst in every figure, and is never left out."""

import json
import math

import pytest
import yaml

from schedcp_gym.files import append_line
from schedcp_gym.llm import Prices
from schedcp_gym.run.folder import open_run
from schedcp_gym.run.scores import read_score, steps_of
from tests.record_lines import line

CONFIG = {
    "run": {"agent": "naive_agent"},
    "agent": {"_target_": "x.Y"},
    "workload": {"name": "longtail"},
    "machine": {},
    "budget": {"evaluations": 1},
    "heldout": {"variants": {"longtail": {"30-jobs": {"jobs": 30, "ratio": 18}}}},
    "llm": {"model": "offline/rules"},
}


@pytest.fixture
def failed(tmp_path):
    (tmp_path / "config.yaml").write_text(yaml.safe_dump(CONFIG))
    (tmp_path / "summary.json").write_text(json.dumps({"ok": 0, "ended_by": "the budget: evaluations=1"}))
    measured = {"trial": "t", "job_s": 1.0, "metrics": {"makespan_s": 6.0, "bound_s": 3.0}}
    append_line(tmp_path / "record.jsonl", line("baseline", measurement=measured))
    rejected = {"trial": "", "job_s": None, "metrics": {}}
    append_line(tmp_path / "record.jsonl", line(outcome="rejected", reward=-3.0, measurement=rejected))
    return tmp_path


def test_a_run_that_found_nothing_is_the_worst_in_every_figure(failed):
    score = read_score(open_run(failed))
    assert (score.score, score.variant) == (-3.0, -3.0)
    assert score.to_bound == pytest.approx(math.log(2) + 3)


def test_without_variants_there_is_no_score_on_them(failed):
    (failed / "config.yaml").write_text(yaml.safe_dump({**CONFIG, "heldout": {}}))
    assert read_score(open_run(failed)).variant is None


def test_an_interrupted_run_has_no_score(failed):
    (failed / "summary.json").write_text(json.dumps({"ok": 0, "ended_by": "interrupted"}))
    assert read_score(open_run(failed)) is None


def test_a_step_says_what_the_model_had_taken():
    spent = {"calls": 2, "prompt_tokens": 1_000_000, "completion_tokens": 10, "usd": None}
    entry = line()
    (step,) = steps_of([{**entry, "llm": spent}])
    assert (step.tokens, step.usd) == (1_000_010, None)
    (step,) = steps_of([{**entry, "llm": spent}], Prices(prompt_usd=3, completion_usd=100_000))
    assert step.usd == pytest.approx(4)
    (step,) = steps_of([entry])
    assert (step.tokens, step.usd) == (None, None)
