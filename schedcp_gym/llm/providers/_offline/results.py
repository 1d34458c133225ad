"""What tools have said of policies that were submitted, measured and deployed."""

import math
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from schedcp_gym.llm.providers._offline.conversation import Call
from schedcp_gym.llm.providers._offline.propose import Result

_REWARD = re.compile(r"reward\W{0,3}([-+]?\d+(?:\.\d+)?)")
_TIMES = re.compile(r"(\d+\.\d+)\s*(?:x|times)")
_VERDICT = re.compile(r"^([\w.@+-]+): (passed|caught at (\w+))", re.MULTILINE)
_TOKEN = re.compile(r"^\s*token: (\S+)", re.MULTILINE)
_LOWEST = -2.99


@dataclass(frozen=True)
class Verdict:
    """What became of a policy that was submitted."""

    policy: str
    passed: bool
    caught_at: str
    token: str
    text: str


def measured(calls: Iterable[Call]) -> list[Result]:
    """What was measured, in order; calls that were refused are left out."""
    found = []
    for call in calls:
        if call.name == "measure_policy" and not call.failed and (reward := _reward(call.text)) is not None:
            policy = str(call.arguments.get("policy") or call.arguments.get("source") or "")
            found.append(Result(policy, dict(call.arguments.get("tunables") or {}), reward, reward > _LOWEST))
    return found


def is_measured(policy: str, values: Mapping[str, Any], calls: Iterable[Call]) -> bool:
    """Whether it was tried to measure that, whatever came of it."""
    return any(
        call.name == "measure_policy"
        and policy in (call.arguments.get("policy"), call.arguments.get("source"))
        and dict(call.arguments.get("tunables") or {}) == dict(values)
        for call in calls
    )


def verdict(call: Call) -> Verdict:
    """What a submission came to; one that was refused as such has no policy."""
    found = _VERDICT.search(call.text)
    token = _TOKEN.search(call.text)
    if call.failed or not found:
        return Verdict("", False, "arguments" if call.failed else "unknown", "", call.text)
    return Verdict(found[1], found[2] == "passed", found[3] or "", token[1] if token else "", call.text)


def was_kept(call: Call) -> bool:
    """Whether a deployment held."""
    first = call.text.splitlines()[0].lower() if call.text else ""
    return not call.failed and not re.search(r"reverted|failed|stopped|refused", first)


def _reward(text: str) -> float | None:
    head = "\n".join(text.splitlines()[:3])
    if found := _REWARD.search(head):
        return float(found[1])
    if found := _TIMES.search(head):
        return math.log(max(float(found[1]), 0.05))
    return None
