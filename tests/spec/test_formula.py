"""How a workload's parameters follow the machine's CPUs."""

import pytest

from schedcp_gym.spec.formula import evaluate, resolve


@pytest.mark.parametrize(
    ("formula", "value"),
    [
        ("threads * cpus / 2", 16),
        ("(threads - 1) / (cpus - 1)", 3 / 7),
        ("-threads + 2 * 3.5", 3),
        ("min(96, threads, cpus) + max(1, 2)", 6),
        ("round(threads / cpus) * cpus", 8),
        ("round(7 / 2)", 4),
        (" 1 + 1 ", 2),
    ],
)
def test_a_formula_has_its_value(formula, value):
    assert evaluate(formula, {"threads": 4, "cpus": 8}) == value


@pytest.mark.parametrize(
    ("formula", "reason"),
    [
        ("thread * 2", "thread is not known .known: threads, cpus"),
        ("threads ** 2", "can't have 'threads \\*\\* 2'"),
        ("threads // 2", "can't have"),
        ("threads if cpus else 1", "can't have"),
        ("__import__('os')", "can't have"),
        ("threads.real", "can't have"),
        ("'a'", "can't have"),
        ("True", "can't have"),
        ("pow(threads, 2)", "can't have"),
        ("min(key=1)", "can't have"),
        ("min()", "can't have"),
        ("min(threads)", "min takes two"),
        ("round(threads, 1)", "round takes one"),
        ("threads *", "not a formula"),
        ("", "not a formula"),
        ("threads / (cpus - 8)", "division by 0"),
        ("1e308 * 1e308 * " * 3 + "1", None),
        ("10000 * " * 200 + "1.5", "too large"),
        ("(" * 90 + "1" + ")" * 90 + "+1" * 20000, "no formula|too large"),
    ],
)
def test_what_is_no_formula_is_refused(formula, reason):
    if reason is None:  # infinite: told where the result is rounded
        with pytest.raises(ValueError, match="not finite"):
            resolve({"threads": formula}, {"threads": 4}, 8)
        return
    with pytest.raises(ValueError, match=reason):
        evaluate(formula, {"threads": 4, "cpus": 8})


def test_a_later_rule_sees_what_an_earlier_one_gave():
    rules = {"threads": "threads * cpus / 2", "requests": "requests * 2 / threads"}
    assert resolve(rules, {"threads": 2, "requests": 100, "text": "x"}, 8) == {
        "threads": 8,
        "requests": 25,
        "text": "x",
    }
    backwards = dict(reversed(rules.items()))
    assert resolve(backwards, {"threads": 2, "requests": 100}, 8) == {"threads": 8, "requests": 100}


def test_on_2_cpus_nothing_is_evaluated():
    parameters = {"threads": 3, "pause_ms": 1.5}
    assert resolve({"threads": "not a formula", "pause_ms": "pause_ms * cpus"}, parameters, 2) == parameters


@pytest.mark.parametrize(("cpus", "result"), [(1, 1), (3, 2), (4, 3), (8, 5), (16, 10)])
def test_a_result_is_a_whole_number_and_at_least_1(cpus, result):
    assert resolve({"n": "n * cpus / 16"}, {"n": 10}, cpus) == {"n": result}
    assert resolve({"n": "n - 100"}, {"n": 10}, cpus) == {"n": 1}
    assert type(resolve({"n": "n * 1.0"}, {"n": 10}, cpus)["n"]) is int


def test_a_parameter_that_is_off_stays_off():
    assert resolve({"rate": "rate + cpus"}, {"rate": 0}, 8) == {"rate": 0}


def test_text_is_changed_field_by_field():
    rules = {"mix": "*:n * cpus / 2:round(n / cpus) * cpus * scale"}
    mix = {"mix": "cpu:2:60,pipe:1:1000", "scale": 2}
    assert resolve(rules, mix, 8)["mix"] == "cpu:8:128,pipe:4:2000"


@pytest.mark.parametrize(
    ("rules", "reason"),
    [
        ({"nosuch": "cpus"}, "there is no parameter nosuch .there are: mix, n"),
        ({"mix": "*:n"}, "3 fields, the rule has 2 parts"),
        ({"mix": "n:*:*"}, "'cpu' is not a whole number"),
        ({"n": "mix * 2"}, "n: 'mix \\* 2' on 8 CPUs: mix is not known"),
    ],
)
def test_a_rule_that_does_not_fit_is_refused(rules, reason):
    with pytest.raises(ValueError, match=reason):
        resolve(rules, {"mix": "cpu:2:60", "n": 1}, 8)
