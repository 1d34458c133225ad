"""Rules as data: conditions over facts, and texts that figures are filled into."""

import dataclasses
import functools
import operator
import re
import string
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import yaml

from schedcp_gym.llm.providers._offline.facts import Facts

_RULES = Path(__file__).parent / "rules"
_TEMPLATES = Path(__file__).parent / "templates"
_COMPARE = {">=": operator.ge, "<=": operator.le, ">": operator.gt, "<": operator.lt, "==": operator.eq}


@functools.cache
def load(name: str) -> Mapping[str, Any]:
    """The rules of ``rules/<name>.yaml``."""
    loaded: Mapping[str, Any] = yaml.safe_load((_RULES / f"{name}.yaml").read_text())
    return loaded


@functools.cache
def template(name: str) -> str:
    """The text of ``templates/<name>.bpf.c``."""
    return (_TEMPLATES / f"{name}.bpf.c").read_text()


def holds(when: Mapping[str, Any], facts: Facts) -> bool:
    """Whether all conditions hold."""
    return all(_holds(name, condition, facts) for name, condition in when.items())


def _holds(name: str, condition: Any, facts: Facts) -> bool:
    if name == "goal":
        return facts.goal in condition if isinstance(condition, list) else facts.goal == condition
    value = facts.figures.get(name)
    if condition == "absent":
        return not value
    if value is None:
        return False
    compare, _, limit = str(condition).partition(" ")
    return bool(_COMPARE[compare](value, float(limit)))


def holding(facts: Facts) -> list[Mapping[str, Any]]:
    """The diagnoses that hold, the most telling first; always one at least."""
    return [rule for rule in load("diagnoses")["diagnoses"] if holds(rule["when"], facts)]


def fill(text: str, facts: Facts, **more: str) -> str:
    """A text with figures and names in it; what is not known is told as such."""
    values = {name: shown(value) for name, value in facts.figures.items()} | dict(facts.names) | more
    return " ".join(string.Template(text).safe_substitute(_Unknown(values)).split())


def nameless(facts: Facts) -> Facts:
    """The facts with words for parts in place of names: names change with the data, what was learned does not."""
    parts = load("profile")["parts"]
    return dataclasses.replace(facts, names={part: parts[part]["called"] for part in facts.names if part in parts})


def matches(patterns: Sequence[str], text: str) -> int:
    """How many patterns a text holds."""
    return sum(bool(re.search(pattern, text, re.IGNORECASE)) for pattern in patterns)


def shown(value: float) -> str:
    """A figure with as many digits as it is good for."""
    return f"{value:.0f}" if abs(value) >= 10 or float(value).is_integer() else f"{value:.2g}"


class _Unknown(dict[str, str]):
    def __missing__(self, key: str) -> str:
        return "some"
