"""Queues (DSQs) of a policy: where tasks are put, where they are taken from, which exist."""

import functools
from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from schedcp_gym.control.verifier.source import kfuncs
from schedcp_gym.control.verifier.source.flow import Call, Flow, Value


@dataclass(frozen=True, eq=False)
class Use:
    """A call that names a queue, and which queues that may be."""

    call: Call
    ids: Value


def inserts(flow: Flow) -> list[Use]:
    """Where tasks are put into queues."""
    return [*_uses(flow, {name: at[0] for name, at in kfuncs.INSERT.items()}), *_uses(flow, kfuncs.MOVE)]


def consumers(flow: Flow) -> list[Use]:
    """Where tasks are taken out of queues."""
    return [*_uses(flow, kfuncs.MOVE_TO_LOCAL), *_uses(flow, kfuncs.ITERATE)]


def creations(flow: Flow) -> list[Use]:
    """Where queues are made."""
    return list(_uses(flow, kfuncs.CREATE))


def peeks(flow: Flow) -> list[Use]:
    """Where queues are looked into."""
    return list(_uses(flow, kfuncs.PEEK))


def together(uses: list[Use]) -> Value:
    """All queues that any of the uses may name."""
    return functools.reduce(Value.__or__, (use.ids for use in uses), Value())


def uncovered(ids: Value, by: Value) -> Iterator[int]:
    """Queues of the policy's own that certainly are not among others."""
    if by.unknown:
        return
    for number in sorted(n for n in ids.known if not n & kfuncs.BUILT_IN):
        if number not in by.known and not any(base <= number for base in by.bases):
            yield number
    for base in sorted(b for b in ids.bases if not b & kfuncs.BUILT_IN):
        if not by.bases and not any(number >= base for number in by.known):
            yield base


def _uses(flow: Flow, which: Mapping[str, int]) -> Iterator[Use]:
    for call in flow.all_calls:
        at = which.get(call.name)
        if at is not None and at < len(call.node.arguments):
            yield Use(call, flow.value(call.node.arguments[at], call.frame))
