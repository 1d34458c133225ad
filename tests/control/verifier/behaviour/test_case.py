"""The battery's declarations: found by looking, whole, and shared out evenly."""

import pytest
import yaml

from schedcp_gym.control.verifier.behaviour.case import (
    CASES,
    ELSEWHERE,
    TOPOLOGY_CASES,
    Case,
    Limit,
    duration_s,
    load_cases,
    on_machine,
    split,
)
from schedcp_gym.control.verifier.reference import Parts, parts_of, slowdown
from schedcp_gym.spec import Clock, MachineSpec, SchedcpError

LLC, SMT = (MachineSpec(cpus=8, topology=shape) for shape in ("1x2x4x1", "1x1x4x2"))
LARGE = MachineSpec(cpus=16, topology="1x4x4x1")


def home(case):
    return TOPOLOGY_CASES if case.travels else CASES


def test_every_program_has_its_declaration():
    programs = {path.with_suffix("") for folder in (CASES, TOPOLOGY_CASES) for path in folder.glob("*.c")}
    assert programs == {home(case) / case.name for case in load_cases() if not case.derived}
    assert len({path.name for path in programs}) == len(programs) >= 19


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
            code = (home(case) / f"{case.name}.c").read_text()
            assert f"CASE({case.name})" in code or not case.travels
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


def names_on(spec):
    return {case.name for case in on_machine(spec, load_cases())}


def test_on_the_machine_of_two_cpus_exactly_the_images_cases_run_with_the_limits_as_declared():
    everywhere = tuple(case for case in load_cases() if not case.travels)
    assert on_machine(MachineSpec(), load_cases()) == everywhere
    assert on_machine(MachineSpec(cpus=1), load_cases()) == everywhere
    assert {path.stem for path in CASES.glob("*.yaml")} == {case.name for case in everywhere}


def test_a_machine_with_a_topology_has_the_cases_for_its_parts_besides():
    flat = names_on(MachineSpec(cpus=8))
    assert names_on(LLC) - flat == {"llc_affinity", "group_offline", "llc_conservation"}
    assert names_on(SMT) - flat == {"smt_siblings"}
    assert names_on(MachineSpec(cpus=8, topology="2x1x2x2")) == {
        case.name for case in load_cases() if case.name not in ("identity", "weights")
    }


def test_what_says_nothing_on_many_cpus_is_replaced_there_by_a_case_of_the_same_figures():
    cases = {case.name: case for case in load_cases()}
    everywhere, many = names_on(MachineSpec()), names_on(MachineSpec(cpus=8))
    assert (everywhere - many, many - everywhere) == ({"identity", "weights"}, {"crowd_identity", "crowd_weights"})
    for name in everywhere - many:
        assert cases[f"crowd_{name}"].figures == cases[name].figures


def test_parts_follow_from_the_topology():
    assert parts_of(MachineSpec(cpus=4)) == Parts(cpus=4)
    assert parts_of(MachineSpec(cpus=16, topology="2x2x2x2")) == Parts(cpus=16, llcs=4, nodes=2, threads=2)


@pytest.mark.parametrize(
    ("spec", "times"),
    [
        (MachineSpec(cpus=1), 1),
        (MachineSpec(), 1),
        (MachineSpec(cpus=4), 2),
        (MachineSpec(cpus=8), 4),
        (LLC, 2),
        (LARGE, 4),
        (MachineSpec(cpus=16, clock=Clock.REAL), 1),
    ],
)
def test_more_cpus_are_slower_ones_on_the_virtual_clock(spec, times):
    assert slowdown(spec) == times


def test_limits_follow_from_the_machine_where_the_table_says_so_and_hold_everywhere_else():
    slow = {case.name: case for case in on_machine(LARGE, load_cases())}
    fast = {case.name: case for case in on_machine(MachineSpec(), load_cases())}
    assert slow["bursts"].figures["slowest_burst_stretch"].limit == 1 + 4 * 2
    assert slow["forks"].figures["births_ms"].limit == 4 * fast["forks"].figures["births_ms"].limit
    changed = {
        (case.name, name)
        for case in fast.values()
        for name, limit in case.figures.items()
        if case.name in slow and slow[case.name].figures[name] != limit
    }
    assert changed == {
        ("bursts", "slowest_burst_stretch"),
        ("forks", "execs_ms"),
        ("forks", "births_ms"),
        ("reload", "unload_ms"),
        ("affinity", "bound_share"),
        ("affinity", "moving_share"),
    }


@pytest.mark.parametrize("cpus", [2, 4, 8, 16])
def test_a_bound_task_must_get_the_same_part_of_its_cpu_on_all_machines(cpus):
    (case,) = (case for case in on_machine(MachineSpec(cpus=cpus), load_cases()) if case.name == "affinity")
    fair = cpus / (cpus + 3)
    assert case.figures["bound_share"].limit * fair == pytest.approx(0.3 * 2 / 5)
    assert case.figures["moving_share"].limit * fair == pytest.approx(0.2 * 2 / 5)


def test_work_may_take_as_much_longer_as_a_busy_sibling_and_remote_memory_cost():
    def limit(spec, case, figure):
        return next(each for each in on_machine(spec, load_cases()) if each.name == case).figures[figure].limit

    free = MachineSpec(topology="1x1x4x2", cache_model=False)
    assert limit(SMT, "conservation", "in_step_stretch_p90") == pytest.approx(1.6 / 0.62)
    assert limit(SMT, "slices", "useful_work_share") == pytest.approx(0.8 * 0.62)
    assert limit(MachineSpec(topology="2x1x4x1"), "llc_conservation", "woken_stretch_p90") == pytest.approx(1.75 / 0.8)
    for spec in (LLC, free):
        assert limit(spec, "conservation", "in_step_stretch_p90") == 1.6
        assert limit(spec, "slices", "useful_work_share") == 0.8


def test_each_limit_that_follows_from_the_machine_is_one_of_a_case():
    figures = {case.name: case.figures for case in load_cases()}
    tables = yaml.safe_load(ELSEWHERE.read_text())
    for case, names in tables["work"].items():
        assert set(names) <= figures[case].keys()
    for case, names in [*tables["instructions"].items(), *tables["one_cpu"].items()]:
        assert names.keys() <= figures[case].keys()


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
