"""Queues (DSQs) of a policy: where tasks are put, where they are taken from, which exist."""

import functools
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass

from schedcp_gym.control.verifier.source import kfuncs
from schedcp_gym.control.verifier.source.flow import Call, Flow, Possible
from schedcp_gym.control.verifier.source.model import Node


@dataclass(frozen=True, eq=False)
class Use:
    """A call that names a queue: the argument that does, and which queues that may be."""

    call: Call
    queue: Node
    ids: Possible


def inserts(flow: Flow, calls: Iterable[Call] | None = None) -> list[Use]:
    """Return the calls that put tasks into queues: all, or those of some calls."""
    return _uses(flow, kfuncs.INSERT | kfuncs.MOVE, calls)


def consumers(flow: Flow) -> list[Use]:
    """Return the calls that take tasks out of queues."""
    return _uses(flow, kfuncs.MOVE_TO_LOCAL | kfuncs.ITERATE)


def creations(flow: Flow) -> list[Use]:
    """Return the calls that create queues."""
    return _uses(flow, kfuncs.CREATE)


def together(uses: list[Use]) -> Possible:
    """Return all queues that any of the uses may name."""
    return functools.reduce(Possible.__or__, (use.ids for use in uses), Possible())


def uncovered(ids: Possible, by: Possible) -> Iterator[int]:
    """Return the policy's own queues that certainly are not among ``by``."""
    if by.unknown:
        return
    for number in sorted(n for n in ids.known if not n & kfuncs.BUILT_IN):
        if number not in by.known and not any(base <= number for base in by.bases):
            yield number
    for base in sorted(b for b in ids.bases if not b & kfuncs.BUILT_IN):
        if not by.bases and not any(number >= base for number in by.known):
            yield base


def _uses(flow: Flow, which: Mapping[str, int], calls: Iterable[Call] | None = None) -> list[Use]:
    naming = (call for call in (flow.all_calls if calls is None else calls) if call.name in which)
    found = ((call, call.node.arguments[which[call.name] :]) for call in naming)
    return [Use(call, rest[0], flow.value(rest[0], call.frame)) for call, rest in found if rest]
