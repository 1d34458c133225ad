"""The answer of an analysis: a text for a model, data for a program, and the costs of both."""

import enum
from typing import Any

from pydantic import ConfigDict, Field
from pydantic.dataclasses import dataclass


class Tier(enum.StrEnum):
    """The depth of an analysis. Each tier costs more than the one before."""

    SUMMARY = "summary"  # one traced run
    PROFILE = "profile"  # histograms, perf, the workload's files, a probe that the caller wrote
    FEEDBACK = "feedback"  # what a policy changed


@dataclass(frozen=True, config=ConfigDict(extra="forbid"))
class Analysis:
    """One answer of the engine.

    Attributes:
        tier: The depth of the analysis.
        name: The question: ``summary``, ``runq_latency``, ``files`` …
        workload: The workload's name.
        text: For a model or a person: plain words and figures with units, the most important ones first.
        data: The same as plain values, as in JSON: counts, histograms, names.
        tokens: Tokens of ``text``, by :func:`schedcp_gym.llm.tokens.count`.
        host_s: Host seconds that the analysis took when it was made. A stored answer takes none.
        guest_s: Guest seconds of its runs.
        cached: Whether the answer was stored already.
        digests: Everything that is needed to repeat the analysis: trial, image, kernel, probe.
    """

    tier: Tier
    name: str
    workload: str
    text: str
    data: dict[str, Any] = Field(default_factory=dict)
    tokens: int = 0
    host_s: float = 0.0
    guest_s: float = 0.0
    cached: bool = False
    digests: dict[str, str] = Field(default_factory=dict)
