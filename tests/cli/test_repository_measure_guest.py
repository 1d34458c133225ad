"""``schedcp-gym repository measure``: what it measures is kept, and written as lines that another repository takes."""

import json

import pytest
from typer.testing import CliRunner

from schedcp_gym.cli import app
from schedcp_gym.control.repository import import_lines, open_library

pytestmark = pytest.mark.guest


def of_seed_1(repository):
    """What is known of ljf on longtail on seed 1, which no recorded result is of."""
    return [result for result in repository.results("ljf", workload="longtail") if result.seed == 1]


def test_measured_results_are_kept_and_can_be_handed_on(tmp_path):
    out = tmp_path / "results.jsonl"
    words = ["ljf", "-w", "longtail", "--seed", "1", "--out", str(out), "--store", str(tmp_path / "here")]
    done = CliRunner().invoke(app, ["repository", "measure", *words])
    assert done.exit_code == 0, done.output
    (line,) = out.read_text().splitlines()
    (kept,) = of_seed_1(open_library(tmp_path / "here"))
    assert kept.metrics == json.loads(line)["metrics"]
    assert kept.reward is not None

    other = open_library(tmp_path / "there")
    assert import_lines(other, [line]).results == 1
    assert [result.reward for result in of_seed_1(other)] == [kept.reward]
