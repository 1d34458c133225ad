"""Workload declarations: what is refused, and how placeholders are filled."""

import pytest
from pydantic import TypeAdapter, ValidationError

from schedcp_gym.spec import BadInput, Scale, Workload

WHOLE = {
    "name": "w",
    "title": "t",
    "description": "d",
    "command": ["prog", "--n={n}", "--seed={seed}", "--cpus={cpus}"],
    "metrics": {"time_s": {"unit": "s", "direction": "minimize", "description": "d"}},
    "objective": {"weights": {"time_s": 1.0}},
    "scales": {"smoke": {"n": 1}, "standard": {"n": 2}, "full": {"n": 3}},
}


def declare(**changes):
    return TypeAdapter(Workload).validate_python(WHOLE | changes)


def test_a_whole_declaration_is_taken():
    workload = declare()
    assert workload.arguments(workload.command, Scale.FULL, 5, 4) == ["prog", "--n=3", "--seed=5", "--cpus=4"]


@pytest.mark.parametrize("scale", ["smoke", "standard", "full"])
def test_a_missing_scale_is_named(scale):
    with pytest.raises(ValidationError, match=f"scales: {scale} missing"):
        declare(scales={name: value for name, value in WHOLE["scales"].items() if name != scale})


@pytest.mark.parametrize(
    ("objective", "reason"),
    [
        ({"weights": {"nosuch": 1}}, "nosuch is not among the metrics"),
        ({"weights": {"time_s": 1}, "bound": "nosuch_s"}, "nosuch_s is not among the metrics"),
        ({"weights": {}}, "at least one"),
        ({"weights": {"time_s": 0}}, "above 0"),
        ({"weights": {"time_s": -1}}, "above 0"),
        ({"weights": {"time_s": 1}, "unit": "s"}, "unit"),
        ({"weights": {"time_s": 1}, "floors": {"nosuch": 0.9}}, "nosuch is not among the metrics"),
        ({"weights": {"time_s": 1}, "floors": {"time_s": 1.5}}, "at most 1"),
    ],
)
def test_an_objective_that_can_not_be_computed_is_refused(objective, reason):
    with pytest.raises(ValidationError, match=reason):
        declare(objective=objective)
    with pytest.raises(ValidationError, match=reason):
        declare(objectives={"fair": objective})


def test_objectives_have_names():
    fair = {"weights": {"time_s": 1}, "floors": {"time_s": 0.9}}
    assert declare(objectives={"fair": fair}).objectives["fair"].floors == {"time_s": 0.9}
    assert declare().objectives == {}


@pytest.mark.parametrize(
    ("changes", "reason"),
    [
        ({"extra": 1}, "extra"),
        ({"max_job_s": {"smoke": 0}}, "max_job_s"),
        ({"max_job_s": {"full": 4000}}, "max_job_s"),
        ({"max_job_s": {"huge": 60}}, "max_job_s"),
        ({"shared": "one.py"}, "shared"),
        ({"command": []}, "command"),
        ({"command": "prog --n=1"}, "command"),
        ({"scales": {**WHOLE["scales"], "huge": {}}}, "huge|scales"),
        ({"metrics": {"time_s": {"unit": "s", "direction": "down", "description": "d"}}}, "direction"),
        ({"metrics": {"time_s": {"unit": "s", "direction": "minimize"}}}, "description"),
    ],
)
def test_what_does_not_belong_into_a_declaration_is_refused(changes, reason):
    with pytest.raises(ValidationError, match=reason):
        declare(**changes)


def test_a_weight_that_is_not_finite_is_refused():
    with pytest.raises(ValidationError):
        declare(objective={"weights": {"time_s": float("nan")}})


def test_a_placeholder_without_a_value_is_an_error():
    with pytest.raises(BadInput, match="nosuch"):
        declare().arguments(["{nosuch}"], Scale.SMOKE, 0, 2)


def test_parameters_follow_the_cpus():
    workload = declare(with_cpus={"n": "n * cpus"})
    assert [workload.parameters(Scale.FULL, cpus)["n"] for cpus in (1, 2, 4, 8)] == [3, 3, 12, 24]
    assert workload.arguments(workload.command, Scale.FULL, 5, 4) == ["prog", "--n=12", "--seed=5", "--cpus=4"]
    assert declare().parameters(Scale.FULL, 16) == {"n": 3}


@pytest.mark.parametrize(
    ("with_cpus", "reason"),
    [
        ({"m": "cpus"}, "with_cpus, scale smoke: there is no parameter m"),
        ({"n": "n *"}, "with_cpus, scale smoke: n: 'n \\*' on 1 CPUs: it is not a formula"),
        ({"n": "m * cpus"}, "m is not known"),
        ({"n": "n / (cpus - 7)"}, "on 7 CPUs: division by 0"),
        ({"n": "n / (n - 3)"}, "with_cpus, scale full: n: .* division by 0"),
    ],
)
def test_a_rule_that_can_not_be_evaluated_is_refused(with_cpus, reason):
    with pytest.raises(ValidationError, match=reason):
        declare(with_cpus=with_cpus)
