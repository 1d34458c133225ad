"""From actions to policies and back."""

import json

import numpy as np
import pytest

from schedcp_gym.envs.choice import (
    Choice,
    decode_flat,
    decode_tune,
    encode_tune,
    flat_size,
    load_choices,
    tune_space,
    value_at,
)
from schedcp_gym.envs.synth import SOURCE_MAX, decode_synth
from schedcp_gym.spec import EEVDF, BadInput, Tunable, TunableType

SLICE = Tunable("slice_us", TunableType.U64, 5000, "us", 100, 1000000, log=True)
LAG = Tunable("lag_us", TunableType.U32, 10, "us", 0, 100)
STRICT = Tunable("strict", TunableType.BOOL, False)
FAVOUR = Tunable("favour", TunableType.TEXT, "")
CHOICES = (
    Choice(EEVDF, "", ()),
    Choice("a", "int a;", (SLICE, FAVOUR)),
    Choice("b", "int b;", (LAG, STRICT)),
)
SOURCE = 'TUNABLE(u64, slice_us, 100, "us", 1, 1000, log, "A slice.");\n'


def test_values_cover_their_range():
    assert [value_at(SLICE, share) for share in (0, 0.5, 1)] == [100, 10000, 1000000]
    assert [value_at(LAG, share) for share in (0, 0.5, 1)] == [0, 50, 100]
    assert [value_at(STRICT, share) for share in (0, 0.49, 0.5, 1)] == [False, False, True, True]


def test_encode_is_the_inverse_of_decode():
    given = {"slice_us": 777, "favour": "make"}
    action = encode_tune(CHOICES, "a", given)
    assert action in tune_space(CHOICES)
    policy = decode_tune(CHOICES, action)
    assert (policy.name, dict(policy.tunables)) == ("a", given)


def test_every_sample_is_a_policy_of_the_catalogue():
    choices = load_choices()
    space = tune_space(choices)
    space.seed(1)
    for _ in range(50):
        policy = decode_tune(choices, space.sample())
        assert policy.name in [choice.name for choice in choices]
        assert decode_tune(choices, encode_tune(choices, policy.name, dict(policy.tunables))) == policy


def test_only_the_chosen_policys_tunables_count_and_the_rest_keep_their_defaults():
    action = {"policy": 2, "tunables": {"a": {"slice_us": -1}, "b": {"lag_us": np.array(7)}}}
    assert decode_tune(CHOICES, action).tunables == (("lag_us", 7),)
    assert decode_tune(CHOICES, {"policy": np.int64(0)}).is_eevdf


@pytest.mark.parametrize(
    ("action", "text"),
    [
        (None, "must be a dict"),
        ({"policy": 3}, "from 0 to 2"),
        ({"policy": "b"}, "from 0 to 2"),
        ({"policy": 2, "tunables": [1]}, "must be a dict"),
        ({"policy": 2, "tunables": {"b": {"lag_us": 101}}}, "out of range: 0 to 100 us"),
        ({"policy": 2, "tunables": {"b": {"lag": 1}}}, "this policy has: lag_us, strict"),
    ],
)
def test_wrong_tune_actions_say_what_is_right(action, text):
    with pytest.raises(BadInput, match=text):
        decode_tune(CHOICES, action)


def test_unknown_policy_by_name():
    with pytest.raises(BadInput, match="there are: a, b, eevdf"):
        encode_tune(CHOICES, "xyz", {})


def test_flat_actions_reach_every_policy_tunable_and_name():
    names = ["big", "small"]
    assert flat_size(CHOICES) == 5

    def policy(*numbers):
        return decode_flat(CHOICES, np.array(numbers, np.float32), names)

    assert policy(-1, 0, 0, 0, 0).is_eevdf
    assert dict(policy(0, -1, -1, 0, 0).tunables) == {"slice_us": 100, "favour": ""}
    assert dict(policy(0, 0, 0, 0, 0).tunables) == {"slice_us": 10000, "favour": "big"}
    assert dict(policy(0, 1, 1, 0, 0).tunables) == {"slice_us": 1000000, "favour": "small"}
    assert dict(policy(1, 0, 0, 1, -1).tunables) == {"lag_us": 100, "strict": False}
    assert policy(9, 0, 0, 9, -9) == policy(1, 0, 0, 1, -1)


@pytest.mark.parametrize("action", [[0] * 4, [0, 0, 0, 0, float("nan")]])
def test_wrong_flat_actions(action):
    with pytest.raises(BadInput, match="5 finite numbers"):
        decode_flat(CHOICES, action, [])


def test_synth_source_with_tunables():
    policy = decode_synth({"source": SOURCE, "tunables": '{"slice_us": 7}'})
    assert policy.tunables == (("slice_us", 7),)
    assert policy.name.startswith("synth-")
    assert decode_synth({"source": SOURCE}).tunables == ()


@pytest.mark.parametrize(
    ("source", "tunables", "text"),
    [
        (" \n", "{}", "empty"),
        (None, "{}", "must be a dict with 'source'"),
        ("x" * (SOURCE_MAX + 1), "{}", "65536 are allowed"),
        ("int \0;", "{}", "not text"),
        ("int \ud800;", "{}", "not text"),
        (SOURCE, "{", "not JSON"),
        (SOURCE, "[" * 4000, "not JSON"),
        (SOURCE, "9" * 4096, "not JSON|must be a JSON object"),
        (SOURCE, "[]", "JSON object"),
        (SOURCE, None, "JSON object"),
        (SOURCE, '{"slice": 7}', "this policy has: slice_us"),
        (SOURCE, '{"slice_us": 0}', "out of range"),
        (SOURCE, '{"slice_us": null}', "whole number"),
        (SOURCE, '{"slice_us": 1e999}', "whole number"),
        (SOURCE, json.dumps({"slice_us": "9" * 500}), "whole number|out of range"),
        (SOURCE.replace("100,", "0,"), "{}", "out of range"),
    ],
)
def test_wrong_synth_actions_are_bad_input(source, tunables, text):
    with pytest.raises(BadInput, match=text):
        decode_synth({"source": source, "tunables": tunables})
