"""Ranks and their correlation, against figures reckoned by hand."""

import pytest

from schedcp_gym.bench.clocks import compare_clocks, correlate


@pytest.mark.parametrize(
    ("first", "second", "spearman", "kendall"),
    [
        ([1, 2, 3, 4], [10, 20, 30, 40], 1.0, 1.0),
        ([1, 2, 3, 4], [4, 3, 2, 1], -1.0, -1.0),
        # One neighbouring pair of four changed places: rho = 1 - 6*2/(4*15), tau = (5 - 1)/6.
        ([1, 2, 3, 4], [1, 2, 4, 3], 0.8, 2 / 3),
        # Ties share a rank: ranks 1.5, 1.5, 3 against 1, 2, 3; tau-b = 2/sqrt(2*3).
        ([5, 5, 9], [1, 2, 3], 0.8660254, 0.8164966),
    ],
)
def test_correlations_are_those_of_the_textbook(first, second, spearman, kendall):
    found = correlate(first, second)
    assert found.spearman == pytest.approx(spearman)
    assert found.kendall == pytest.approx(kendall)


@pytest.mark.parametrize(("first", "second"), [([], []), ([1], [2]), ([1, 1, 1], [1, 2, 3])])
def test_where_there_is_no_order_there_is_no_correlation(first, second):
    assert correlate(first, second) == correlate([], [])
    assert correlate(first, second).spearman is None


VIRTUAL = {"eevdf": 0.0, "a": 0.5, "b": 0.3, "c": -3.0, "d": -3.0}
REAL = {"eevdf": 0.0, "a": 0.2, "b": 0.4, "c": -0.1, "d": -3.0}


def test_places_are_in_the_virtual_clocks_order_with_both_ranks():
    found = compare_clocks(VIRTUAL, REAL, [REAL])
    assert [place.policy for place in found.places] == ["a", "b", "eevdf", "c", "d"]
    assert [place.virtual_rank for place in found.places] == [1, 2, 3, 4.5, 4.5]
    assert [place.real_rank for place in found.places] == [2, 1, 3, 4, 5]
    assert found.repeats == 1
    assert found.noise is None


def test_the_spread_and_the_real_clocks_agreement_with_itself_come_from_the_repeats():
    names = ("eevdf", "a", "b", "c")
    virtual = dict(zip(names, (0.0, 1.0, 2.0, 3.0), strict=True))
    rounds = [dict(zip(names, values, strict=True)) for values in ((0, 1, 2, 3), (0, 1, 3, 2), (0, 1, 2, 3))]
    medians = dict(zip(names, (0, 1, 2, 3), strict=True))
    found = compare_clocks(virtual, medians, rounds)
    assert found.agreement.spearman == found.agreement.kendall == 1.0
    assert found.single == pytest.approx((1.0, 0.8, 1.0))
    assert found.noise == pytest.approx((0.8 + 1.0 + 0.8) / 3)
    assert [(place.real_low, place.real_high) for place in found.places] == [(2, 3), (2, 3), (1, 1), (0, 0)]


def test_both_clocks_must_have_the_same_policies():
    with pytest.raises(ValueError, match="same policies"):
        compare_clocks(VIRTUAL, {"eevdf": 0.0}, [])
