"""What an analysis gives: text for a model, data for a program, and what both cost."""

import enum
from typing import Any

from pydantic import ConfigDict, Field
from pydantic.dataclasses import dataclass


class Tier(enum.StrEnum):
    """How deep an analysis looks: each tier costs more than the one before."""

    SUMMARY = "summary"  # one traced run
    PROFILE = "profile"  # histograms, perf, the workload's files, a probe of one's own
    FEEDBACK = "feedback"  # what a deployed policy changed


@dataclass(frozen=True, config=ConfigDict(extra="forbid"))
class Analysis:
    """One answer of the engine.

    Attributes:
        tier: How deep it looked.
        name: What was asked for: ``summary``, ``runq_latency``, ``files`` …
        workload: The workload's name.
        text: For a model or a person: plain words and figures with units, the shortest and weightest first.
        data: The same as plain values that JSON has words for: counts, histograms, names.
        tokens: What ``text`` costs a model, by :func:`schedcp_gym.llm.tokens.count`.
        host_s: Host seconds it took when it was made; a cached answer costs nothing again.
        guest_s: Guest seconds of the runs behind it.
        cached: Whether it was there already.
        digests: What is needed to repeat it: trial, image, kernel, probe.
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
