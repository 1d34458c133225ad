"""The verifier against policies whose answer is known, at smoke scale; all of them: ``schedcp-gym verify-suite``."""

from pathlib import Path

import pytest

from schedcp_gym.cli.verify_suite import run
from schedcp_gym.control.verifier.report import Stage
from schedcp_gym.control.verifier.suites import Verdicts, find_cases
from schedcp_gym.control.verifier.suites.cases import default_folders
from schedcp_gym.lab import Lab
from schedcp_gym.lab.compiler import compile_policy

pytestmark = pytest.mark.guest

PLANTED = Path(__file__).with_name("planted")
#: One for each stage, the two that are hardest to see, and two that must pass.
SMOKE = (
    *("queue_never_consumed", "map_value_unchecked", "lost_when_popped", "burns_in_enqueue"),
    *("bad_after_5s", "starve_hashed_name"),
    *("fifo", "vtime"),
)


def test_everything_planted_is_c_that_compiles(image):
    for case in find_cases([PLANTED]):
        assert compile_policy(case.source, image), case.name


def test_a_handful_is_told_apart_without_a_mistake(image, tmp_path):
    cases = find_cases(default_folders()[:2], SMOKE)
    verdicts = run(cases, Verdicts(tmp_path / "verdicts.jsonl"), workers=2, lab=Lab(workers=1))
    assert {verdict.name: str(verdict.caught_at) for verdict in verdicts if not verdict.right} == {}
    assert {None, Stage.SOURCE, Stage.KERNEL, Stage.BEHAVIOUR} <= {verdict.caught_at for verdict in verdicts}
