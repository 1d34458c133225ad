"""The battery's declarations: found by looking, whole, and shared out evenly."""

import pytest

from schedcp_gym.control.verifier.behaviour.case import CASES, Case, Limit, duration_s, load_cases, split
from schedcp_gym.spec import SchedcpError


def test_every_program_has_its_declaration():
    programs = {path.stem for path in CASES.glob("*.c")}
    assert programs == {case.name for case in load_cases() if not case.derived}
    assert len(programs) >= 15


def test_every_figure_says_why_and_every_case_what_it_tries():
    for case in load_cases():
        assert case.about.endswith("."), case.name
        assert case.figures, case.name
        for name, limit in case.figures.items():
            assert limit.why.endswith("."), f"{case.name} {name}"
        assert case.derived or case.duration_s > 0, case.name


def test_every_program_prints_the_figures_that_are_declared():
    for case in load_cases():
        if not case.derived:
            code = (CASES / f"{case.name}.c").read_text()
            for name in case.figures:
                assert f'figure("{name}"' in code, f"{case.name} {name}"


def test_the_short_battery_is_a_part_of_the_whole():
    short = load_cases(smoke=True)
    assert {case.name for case in short} < {case.name for case in load_cases()}
    assert 0 < duration_s(short) < duration_s(load_cases()) / 1.5


def test_shares_take_about_as_long_and_the_same_cases_are_always_shared_out_alike():
    cases = load_cases()
    shares = split(cases, 2)
    assert shares == split(tuple(reversed(cases)), 2)
    assert sorted(case.name for share in shares for case in share) == sorted(c.name for c in cases if not c.derived)
    first, second = map(duration_s, shares)
    assert abs(first - second) < 2


def test_the_last_case_of_a_load_comes_when_the_policy_has_run_for_more_than_five_seconds():
    for share in split(load_cases(), 2):
        under = [case for case in share if not case.loads]
        assert share[: len(under)] == under  # those that load it themselves come at the end
        for case in under:
            if case.last:
                assert duration_s(under[: under.index(case)]) > 5


def test_one_case_takes_one_machine():
    (case,) = (case for case in load_cases() if case.name == "fairness")
    assert split((case,), 2) == [[case]]


CASE = Case("x", "About.", {"wait_ms": Limit(10, "Long."), "share": Limit(0.5, "Small.", at_least=True)})


def test_a_figure_is_kept_on_the_right_side_of_its_limit():
    assert [figure.kept for figure in CASE.judge({"wait_ms": 10, "share": 0.5})] == [True, True]
    assert [figure.kept for figure in CASE.judge({"wait_ms": 10.1, "share": 0.49})] == [False, False]


def test_a_figure_that_was_not_measured_is_not_kept():
    figures = CASE.judge({"share": 1.0, "other": 3.0})
    assert [(figure.name, figure.value, figure.kept) for figure in figures] == [
        ("wait_ms", None, False),
        ("share", 1.0, True),
    ]
    assert not CASE.judge({"wait_ms": float("nan"), "share": float("nan")})[0].kept


@pytest.mark.parametrize(
    ("text", "what"),
    [
        ("about: x\n", "figures"),
        ("about: x\nfigures: {a: {limit: 1}}\n", "why"),
        ("about: x\nfigures: {}\nnosuch: 1\n", "nosuch"),
        ("about: x\nfigures: {}\n", "no bad.c"),
        ("- 1\n", "bad.yaml"),
        ("a: [\n", "bad.yaml"),
    ],
)
def test_a_wrong_declaration_is_refused_by_name(text, what, tmp_path, monkeypatch):
    (tmp_path / "bad.yaml").write_text(text)
    monkeypatch.setattr("schedcp_gym.control.verifier.behaviour.case.CASES", tmp_path)
    with pytest.raises(SchedcpError, match=what):
        load_cases()
