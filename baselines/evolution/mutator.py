"""The question to the mutator: parents with their figures, failures with their error lines."""

import math
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from pydantic import ConfigDict, Field
from pydantic.dataclasses import dataclass

from schedcp_gym.baselines.briefing import Brief, figures, json_block, rounded, writing_text
from schedcp_gym.baselines.evolution.population import Genome, Member
from schedcp_gym.llm import Message, prompt, system, tokens, user
from schedcp_gym.spec.policy import Value

PROMPTS = Path(__file__).parent / "prompts"


@dataclass(frozen=True, config=ConfigDict(extra="forbid"))
class Child:
    """A policy as the mutator writes it."""

    source: str = Field(min_length=1, description="The whole of the child, in BPF C.")
    tunables: dict[str, Value] = Field(
        default_factory=dict, description='Values for TUNABLEs of the source by name, like {"slice_us": 3000}.'
    )
    change: str = Field(default="", description="What was changed, and why that should help, in one sentence.")

    @property
    def genome(self) -> Genome:
        """The child's genome."""
        return Genome(self.source, dict(self.tunables))


def question(task: Brief, parents: Sequence[Member], failed: Sequence[Member], error_tokens: int) -> list[Message]:
    """Return the prompt for one child.

    Args:
        task: The task.
        parents: The parents, the fittest last: models attend most to the end of a prompt.
        failed: Children that failed, the newest last.
        error_tokens: Limit of the tokens of the error lines of each.
    """
    shown = [_parent(member) for member in parents] or [prompt("no_parent", PROMPTS)]
    told = [_failed(member, error_tokens, whole=not parents) for member in failed]
    text = prompt("task", PROMPTS, task=task.text, parents="\n".join(shown), failed="\n".join(told))
    data = {**task.data, "parents": [{**_figures(member), "source": member.genome.source} for member in parents]}
    return [system(prompt("system", PROMPTS, writing=writing_text())), user(text.strip(), data)]


def _figures(member: Member) -> dict[str, Any]:
    return {
        "member": member.key,
        "improvement": rounded(math.exp(member.reward)),
        "metrics": figures(member.metrics or {}),
        "tunables": dict(member.genome.tunables),
    }


def _parent(member: Member) -> str:
    block = _figures(member)
    return prompt("parent", PROMPTS, figures=json_block({"parent": block}), source=member.genome.source.rstrip())


def _failed(member: Member, error_tokens: int, *, whole: bool) -> str:
    """Return a failed child's error lines, with its source where there is no parent."""
    text = prompt("failed", PROMPTS, evidence=tokens.cut(member.evidence, error_tokens))
    return f"{text}\n{prompt('failed_source', PROMPTS, source=member.genome.source.rstrip())}" if whole else text
