"""Writing sources: filling in templates, and changing what was read."""

import re
import string
from collections.abc import Mapping, Sequence
from typing import Any

from schedcp_gym.llm.providers._offline import ruleset
from schedcp_gym.llm.providers._offline.facts import Facts

_WORD = re.compile(r"[a-z]{4,}")


def compose(template: str, facts: Facts, name: str = "") -> str:
    """A policy's source from a template, with values that follow from what is known.

    Args:
        template: Its name.
        facts: Give the values.
        name: The policy's; the template's if empty.
    """
    values = {tunable: str(value) for tunable, value in starts(template, facts).items()}
    name = name or template.replace("_", "-")
    identifier = re.sub(r"\W", "_", name.lower())[:24].strip("_") or "policy"
    identifier = identifier if identifier[0].isalpha() else f"p_{identifier}"
    return string.Template(ruleset.template(template)).substitute(values, name=name, c=identifier, C=identifier.upper())


def starts(template: str, facts: Facts) -> dict[str, int]:
    """Values to begin with, of a template's tunables."""
    rule = ruleset.load("templates")["templates"][template]
    return {tunable: _start(tunable, how, facts) for tunable, how in rule["starts"].items()}


def template_for(words: str) -> str:
    """The template whose idea is the nearest to some words."""
    return _nearest(words, ruleset.load("templates")["templates"])


def patch_for(words: str) -> str:
    """The patch whose change is the nearest to some words; empty if none is near."""
    patches = {patch["name"]: patch for patch in ruleset.load("patches")["patches"]}
    return _nearest(words, patches, least=0.5)


def edits(patch: str, source: str) -> list[dict[str, str]]:
    """A patch as pieces of a source to be replaced, each of which is there once; empty if it has no place for it."""
    rule = next(rule for rule in ruleset.load("patches")["patches"] if rule["name"] == patch)
    places = list(re.finditer(rule["finds"], source))
    if not places:
        return []
    found = [{"old": place[0], "new": place.expand(rule["place"])} for place in places]
    first = re.search(rule["before"], source, re.MULTILINE)
    if first is None or any(source.count(edit["old"]) != 1 for edit in found):
        return []
    line = source[first.start() :].split("\n", 1)[0]
    above = source[: first.start()].rstrip("\n").rsplit("\n", 1)[-1]
    old = next((old for old in (line, f"{above}\n{line}", f"{above}\n\n{line}") if source.count(old) == 1), "")
    if not old:
        return []
    return [*found, {"old": old, "new": old.removesuffix(line) + rule["insert"].rstrip("\n") + "\n\n" + line}]


def apply(changes: Sequence[Mapping[str, str]], source: str) -> str:
    """A source with pieces replaced."""
    for change in changes:
        source = source.replace(change["old"], change["new"], 1)
    return source


def set_default(source: str, tunable: str, value: int) -> str:
    """A source in which a tunable has another default."""
    return re.sub(rf"(TUNABLE\(\s*\w+\s*,\s*{re.escape(tunable)}\s*,\s*)\w+", rf"\g<1>{value}", source, count=1)


def _start(tunable: str, how: Mapping[str, Any], facts: Facts) -> int:
    figure = facts.figures.get(how["figure"])
    if not figure:
        return int(how["default"])
    per_ms = 1000 if tunable.endswith("_us") else 1
    value = min(max(figure * how["times"] * per_ms, how["low"]), how["high"])
    digits = 10 ** max(0, len(str(int(value))) - 2)
    return int(value // digits * digits)


def _nearest(words: str, rules: Mapping[str, Mapping[str, Any]], least: float = 0.0) -> str:
    said = set(_WORD.findall(words.lower()))
    best, nearness = "", least
    for name, rule in rules.items():
        own = set(_WORD.findall(rule["change"].lower())) | set(_WORD.findall(name.replace("_", " ")))
        shared = len(own & said) / len(own)
        if name in words or name.replace("_", "-") in words:
            shared += 1
        if shared > nearness or (not best and not least):
            best, nearness = name, shared
    return best
