"""Digests: the same value, the same text, wherever and however it was made."""

import dataclasses
import subprocess
import sys

import pytest

from schedcp_gym.spec import Caches, Clock, Direction, MachineSpec, Metric, Objective, Policy, Scale, Trial, Workload
from schedcp_gym.spec.digest import digest

WORKLOAD = Workload(
    name="w",
    title="t",
    description="d",
    command=["prog", "{n}"],
    metrics={"time_s": Metric("s", Direction.MINIMIZE, "d")},
    objective=Objective({"time_s": 1.0}),
    scales={scale: {"n": 1} for scale in Scale},
    digest="0" * 64,
)
TRIAL = Trial(Policy("p", "int x;", (("a", 1), ("b", "t"))), WORKLOAD, MachineSpec(), Scale.SMOKE, 1)


def test_the_order_of_keys_does_not_count():
    assert digest({"a": 1, "b": [1, {"x": 1, "y": 2}]}) == digest({"b": [1, {"y": 2, "x": 1}], "a": 1})


def test_the_order_of_items_counts():
    assert digest([1, 2]) != digest([2, 1])


def test_dataclasses_enums_and_tuples_are_what_they_hold():
    assert digest(MachineSpec()) == digest(dataclasses.asdict(MachineSpec()))
    assert digest(Clock.VIRTUAL) == digest("virtual")
    assert digest((1, "ä")) == digest([1, "ä"])


@pytest.mark.parametrize("value", [float("nan"), float("inf"), {"a": [-float("inf")]}])
def test_a_number_that_is_not_finite_has_no_digest(value):
    with pytest.raises(ValueError, match="JSON"):
        digest(value)


@pytest.mark.parametrize("value", [object(), {1, 2}, b"bytes", {"a": 1j}])
def test_what_json_has_no_word_for_has_no_digest(value):
    with pytest.raises(TypeError):
        digest(value)


def test_another_process_with_another_hash_seed_finds_the_same():
    code = "from schedcp_gym.spec.digest import digest; print(digest({'b': [1.5, None, True], 'a': 'ü'}))"
    seeds = ("1", "2")
    found = {
        subprocess.run(
            [sys.executable, "-c", code], env={"PYTHONHASHSEED": seed}, capture_output=True, text=True, check=True
        ).stdout.strip()
        for seed in seeds
    }
    assert found == {digest({"a": "ü", "b": [1.5, None, True]})}


def replaced(value, path, new):
    """A copy with one field changed, named by its path."""
    name, _, rest = path.partition(".")
    return dataclasses.replace(value, **{name: replaced(getattr(value, name), rest, new) if rest else new})


@pytest.mark.parametrize(
    ("path", "new"),
    [
        ("policy.source", "int y;"),
        ("policy.tunables", (("a", 2), ("b", "t"))),
        ("policy.tunables", (("a", 1),)),
        ("workload.name", "v"),
        ("workload.digest", "1" * 64),
        ("workload.command", ["prog", "{n}", "--more"]),
        ("workload.setup", ["prepare"]),
        ("workload.scales", {scale: {"n": 2} for scale in Scale}),
        ("machine.cpus", 4),
        ("machine.memory_mib", 512),
        ("machine.clock", Clock.REAL),
        ("machine.kernel", "debian:7.2"),
        ("machine.max_job_s", 10.0),
        ("scale", Scale.FULL),
        ("seed", 2),
    ],
)
def test_what_shapes_the_result_changes_a_trials_digest(path, new):
    assert replaced(TRIAL, path, new).digest != TRIAL.digest


@pytest.mark.parametrize(
    ("path", "new"),
    [
        ("policy.name", "another"),
        ("workload.title", "other words"),
        ("workload.caches", Caches(footprint_kib={"w": 8})),
        ("workload.description", "other words"),
        ("machine.max_host_s", 5.0),
        ("policy.tunables", (("b", "t"), ("a", 1))),
    ],
)
def test_what_can_not_shape_the_result_does_not(path, new):
    assert replaced(TRIAL, path, new).digest == TRIAL.digest


def test_how_parameters_follow_the_cpus_counts_only_where_they_do():
    follows = dataclasses.replace(WORKLOAD, with_cpus={"n": "n * cpus"})
    for cpus, is_same in ((2, True), (1, True), (4, False), (8, False)):
        there = dataclasses.replace(TRIAL, machine=MachineSpec(cpus=cpus))
        assert (dataclasses.replace(there, workload=follows).digest == there.digest) is is_same


@pytest.mark.parametrize("seed", [-1, 2**31, 1.5, "x"])
def test_a_seed_outside_of_what_programs_take_is_refused(seed):
    with pytest.raises(ValueError, match="seed"):
        dataclasses.replace(TRIAL, seed=seed)


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("cpus", 0),
        ("cpus", 17),
        ("memory_mib", 100),
        ("clock", "wall"),
        ("max_job_s", 0),
        ("max_job_s", float("nan")),
        ("max_host_s", float("inf")),
    ],
)
def test_a_machine_that_can_not_be_is_refused(field, value):
    with pytest.raises(ValueError, match=field):
        MachineSpec(**{field: value})
