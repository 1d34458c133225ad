"""A child of the parents in a prompt: by a patch, another idea, or other values; without parents, written or mended."""

from collections.abc import Iterator, Mapping
from typing import Any

from schedcp_gym.llm.providers._offline import profile, propose, repair, ruleset, write, writing
from schedcp_gym.llm.providers._offline.conversation import Conversation, code_blocks
from schedcp_gym.llm.providers._offline.facts import Facts
from schedcp_gym.llm.providers._offline.library import tunables_of
from schedcp_gym.llm.providers._offline.propose import Result


def turn(talk: Conversation) -> dict[str, Any]:
    """The child. Samples of one prompt differ: each takes another of the ways there are."""
    parents = [block["parent"] for block in talk.blocks if isinstance(block.get("parent"), Mapping)]
    sources = [f"{code}\n" for code in code_blocks(talk.told[-1]) if "#include" in code]
    if not parents or len(sources) < len(parents):
        return _first(talk, sources)
    facts = profile.facts_of(talk)
    ways = list(_ways(facts, talk, parents[-1], sources[len(parents) - 1]))
    return ways[talk.draw % len(ways)] if ways else _first(talk, [])


def _first(talk: Conversation, failed: list[str]) -> dict[str, Any]:
    """Where nothing runs yet: the newest failure mended, or else a policy by template."""
    if failed:
        mended = repair.mend(failed[-1], talk.told[-1])
        if mended != failed[-1]:
            return {"source": mended, "change": ruleset.load("words")["writing"]["mended"]}
    fresh = writing.turn(talk)
    return {**fresh, "change": fresh["reason"]}


def _ways(facts: Facts, talk: Conversation, parent: Mapping[str, Any], source: str) -> Iterator[dict[str, Any]]:
    """Changes of the fittest parent, those of its source first, then other ideas, then other values."""
    values = dict(parent.get("tunables") or {})
    for patch in ruleset.load("patches")["patches"]:
        if edits := write.edits(patch["name"], source):
            change = " ".join(patch["change"].split())
            yield {"source": write.apply(edits, source), "tunables": values, "change": change}
    told = writing.told_ideas(facts, talk)
    for idea in told:
        starts = {name: value for name, value in idea.values.items() if isinstance(value, str)}
        composed = write.compose(idea.writes, facts)
        if composed != source:
            yield {"source": composed, "tunables": starts, "change": idea.change}
    tunables = tunables_of(source)
    plan = ruleset.load("words")["plan"]["step"]
    for better in propose.better_values("", tunables, [Result("", values, 0.0)]):
        changed = ", ".join(f"{name} = {value}" for name, value in better.items() if values.get(name) != value)
        said = ruleset.fill(plan, facts, policy=str(parent.get("member", "")), changed=changed)
        yield {"source": source, "tunables": better, "change": said}
