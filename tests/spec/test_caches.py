"""What a declaration may say of caches."""

import pytest
from pydantic import TypeAdapter, ValidationError

from schedcp_gym.spec import Caches


def declare(**fields):
    return TypeAdapter(Caches).validate_python(fields)


def test_names_beginnings_and_all_others_are_taken():
    caches = declare(
        footprint_kib={"schbench-worker": 256, "stress-ng-*": 8, "*": 64},
        shared_kib={"schbench-msg schbench-worker": 4, "client-* serve-*": 1, "* *": 2, "*": 8},
        stream_mib_per_s={"gzip": 1.5},
    )
    assert caches.footprint_kib["*"] == 64
    assert caches.stream_mib_per_s == {"gzip": 1.5}
    assert declare() == Caches()


@pytest.mark.parametrize(
    ("fields", "reason"),
    [
        ({"footprint_kib": {"sixteen-letters-": 1}}, "at most 15 characters"),
        ({"footprint_kib": {"": 1}}, "not a process name"),
        ({"footprint_kib": {"a*b": 1}}, "at the end only"),
        ({"footprint_kib": {"**": 1}}, "at the end only"),
        ({"footprint_kib": {"two names": 1}}, "not a process name"),
        ({"footprint_kib": {"a": -1}}, "footprint_kib"),
        ({"footprint_kib": {"a": 65537}}, "footprint_kib"),
        ({"footprint_kib": {"a": 1.5}}, "footprint_kib"),
        ({"shared_kib": {"alone": 1}}, "not two process names"),
        ({"shared_kib": {"a b c": 1}}, "not two process names"),
        ({"shared_kib": {"a b": 65537}}, "shared_kib"),
        ({"stream_mib_per_s": {"a": -0.1}}, "stream_mib_per_s"),
        ({"stream_mib_per_s": {"a": float("nan")}}, "stream_mib_per_s"),
        ({"footprint": {"a": 1}}, "footprint"),
    ],
)
def test_what_does_not_belong_there_is_refused(fields, reason):
    with pytest.raises(ValidationError, match=reason):
        declare(**fields)
