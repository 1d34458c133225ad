"""Tunables: what a value may be, and what is done with one that may not."""

import numpy as np
import pytest

from schedcp_gym.spec import BadInput, Tunable, TunableType, check_tunables

SLICE = Tunable("slice_us", TunableType.U64, 20000, "us", 100, 1_000_000)
WIDE = Tunable("mask", TunableType.U64, 0, "", 0, 2**64 - 1)
SMALL = Tunable("count", TunableType.U32, 1, "", 0, 2**32 - 1)
FLAG = Tunable("strict", TunableType.BOOL, False)
NAME = Tunable("favour", TunableType.TEXT, "")


@pytest.mark.parametrize(
    ("value", "number"),
    [(100, 100), (1_000_000, 1_000_000), ("250", 250), (300.0, 300), ("300.0", 300), (np.int64(400), 400)],
)
def test_a_whole_number_in_the_range_is_taken_as_an_int(value, number):
    checked = SLICE.check(value)
    assert checked == number
    assert type(checked) is int


@pytest.mark.parametrize(
    "value", [99, 1_000_001, -5, "99", 10**30, 2**64, "-0.5", 1.5, "1.5", float("nan"), float("inf"), "-inf", 10**400]
)
def test_a_number_out_of_range_or_not_whole_is_refused_by_name(value):
    with pytest.raises(BadInput, match="slice_us"):
        SLICE.check(value)


@pytest.mark.parametrize("value", ["", "fast", "0x100", "1e3", None, True, False, [200], {}, b"200", "1" * 5000])
def test_what_is_no_number_is_refused_by_name(value):
    with pytest.raises(BadInput, match="slice_us"):
        SLICE.check(value)


def test_the_range_is_said_with_its_unit():
    with pytest.raises(BadInput, match=r"slice_us=99 is out of range: 100 to 1000000 us$"):
        SLICE.check(99)


@pytest.mark.parametrize("number", [2**53 + 1, 2**63 + 1, 2**64 - 1])
@pytest.mark.parametrize("given", [int, str, np.uint64])
def test_numbers_that_no_float_can_hold_stay_exact(number, given):
    assert WIDE.check(given(number)) == number


def test_u32_has_its_own_end():
    assert SMALL.check(2**32 - 1) == 2**32 - 1
    with pytest.raises(BadInput, match="count"):
        SMALL.check(2**32)


@pytest.mark.parametrize(
    ("value", "truth"),
    [(True, True), (False, False), ("true", True), ("FALSE", False), (1, True), ("0", False), (np.bool_(True), True)],
)
def test_a_bool_may_be_written_in_words_or_digits(value, truth):
    assert FLAG.check(value) is truth


@pytest.mark.parametrize("value", [2, -1, "yes", "", None, 0.5])
def test_anything_else_is_no_bool(value):
    with pytest.raises(BadInput, match="strict takes true or false"):
        FLAG.check(value)


@pytest.mark.parametrize("text", ["", "ember", "schbench-worker", "a_b.c:d+e/f", "0123456789abcde"])
def test_a_process_name_is_taken_as_it_is(text):
    assert NAME.check(text) == text


@pytest.mark.parametrize("text", ["0123456789abcdef", "a b", "a=b", "a\nb", "a\0", "ümlaut", '"', "$(reboot)", "a;b"])
def test_what_a_process_name_can_not_be_is_refused(text):
    with pytest.raises(BadInput, match="favour takes up to 15"):
        NAME.check(text)


def test_a_cgroup_name_is_a_name_too_and_is_called_so():
    group = Tunable("high_cgroup", TunableType.CGROUP, "")
    assert group.is_name
    assert group.check("system.slice") == "system.slice"
    with pytest.raises(BadInput, match="a cgroup name"):
        group.check("two words")


def test_checked_values_come_in_order_of_name_and_in_their_types():
    values = {"strict": "1", "favour": "x", "count": "7"}
    assert check_tunables((SMALL, FLAG, NAME), values) == (("count", 7), ("favour", "x"), ("strict", True))


def test_an_unknown_tunable_is_refused_with_those_there_are():
    with pytest.raises(BadInput, match="unknown tunable 'slice'; this policy has: count, slice_us"):
        check_tunables((SLICE, SMALL), {"slice": 1})
    with pytest.raises(BadInput, match="it has none"):
        check_tunables((), {"slice": 1})
