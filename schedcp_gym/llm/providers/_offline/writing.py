"""The rules of agents that ask for a source: the one template, with other values, and changes of a parent's values."""

import functools
import re
import string
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from schedcp_gym.llm.providers._offline import choice, facts
from schedcp_gym.llm.providers._offline.choice import Result
from schedcp_gym.llm.providers._offline.conversation import Conversation, Turn

CHANGE = "Two queues, first come, first served: processes with the name of a tunable first, all others behind them."
#: Lengths of a turn that samples differ in.
SLICES_US = (20000, 40000, 10000, 5000)
_NUMBER = re.compile(r'^TUNABLE\(u\d+, (\w+), (\d+), "(\w*)", (\d+), (\d+), ', re.MULTILINE)


def source(slice_us: int = SLICES_US[0]) -> str:
    """Return the template with a length of a turn as its default."""
    return string.Template(_template()).substitute(slice_us=slice_us)


def first(talk: Conversation) -> Turn:
    """Return a source; each further answer has another length of a turn."""
    return {"source": _next_source(talk)}


def sample(talk: Conversation) -> Turn:
    """Return a source with values; samples differ in the length of a turn and in the favoured name."""
    cpu_s = talk.value("task").get("cpu_s_by_process") or {}
    names = ["", facts.of_cpu_seconds({name: spent for name, spent in cpu_s.items() if "(" not in name}).outlier]
    slice_us = SLICES_US[talk.draw // 2 % len(SLICES_US)]
    values = {"favour": name} if (name := names[talk.draw % 2]) else {"slice_us": slice_us + talk.draw % 2}
    return {"source": source(slice_us), "tunables": values, "reason": CHANGE}


def child(talk: Conversation) -> Turn:
    """Return a child of the fittest parent: its source with other values, or the template."""
    parents: Sequence[Mapping[str, Any]] = talk.value("parents") or ()
    if not parents:
        return {"source": _next_source(talk), "tunables": {}, "change": CHANGE}
    parent = parents[-1]
    best = Result("", parent["tunables"], 0.0)
    ways = [
        {"source": parent["source"], "tunables": dict(one.values), "change": one.why}
        for one in choice.steps(best, declared(parent["source"]), [best])
    ]
    if source() != parent["source"]:
        ways.insert(0, {"source": source(), "tunables": {}, "change": CHANGE})
    return ways[talk.draw % len(ways)]


def declared(text: str) -> list[dict[str, Any]]:
    """Return the numeric tunables that a source in C declares."""
    return [
        {"name": name, "default": int(default), "unit": unit, "low": int(low), "high": int(high)}
        for name, default, unit, low, high in _NUMBER.findall(text)
    ]


def _next_source(talk: Conversation) -> str:
    return source(SLICES_US[(talk.draw + talk.answers) % len(SLICES_US)])


@functools.cache
def _template() -> str:
    return Path(__file__).with_name("lines.bpf.c").read_text()
