"""How a search went: improvement by iteration, what ended it, what it cost. Goes into ``summary.json``."""

import json
import math
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from schedcp_gym.files import write_whole
from schedcp_gym.run.folder import SUMMARY
from schedcp_gym.run.lines import Line
from schedcp_gym.run.model import Cost

#: Improvement is told after so many iterations, beside the first's and the best's: the paper's third.
SOME = 3
#: What ended a search that has not ended: the run was interrupted.
INTERRUPTED = "interrupted"


@dataclass(frozen=True)
class Iteration:
    """One round of a search.

    Attributes:
        number: From 1.
        evaluations: Policies that were evaluated up to its end.
        reward: The best up to its end; None if no policy has run to its end by then.
    """

    number: int
    evaluations: int
    reward: float | None


@dataclass(frozen=True)
class Course:
    """How a search went.

    Attributes:
        iterations: In order.
        evaluations: Policies that were evaluated.
        ok: How many of them ran to their end.
        virtual_s: Guest seconds, tools included.
        ended_by: What ended the search, in words.
        cost: What the language models took; None if none was asked.
    """

    iterations: tuple[Iteration, ...]
    evaluations: int
    ok: int
    virtual_s: float
    ended_by: str
    cost: Cost | None

    def after(self, number: int) -> Iteration | None:
        """The iteration of a number; None if there were fewer."""
        return self.iterations[number - 1] if number <= len(self.iterations) else None

    @property
    def best(self) -> Iteration | None:
        """The first iteration that came to the best."""
        rewards = [each.reward for each in self.iterations if each.reward is not None]
        return next((each for each in self.iterations if rewards and each.reward == max(rewards)), None)

    def plain(self) -> dict[str, Any]:
        """As values that JSON has words for."""
        told = {"first": self.after(1), f"after_{SOME}": self.after(SOME), "best": self.best}
        return {
            "ended_by": self.ended_by,
            "evaluations": self.evaluations,
            "ok": self.ok,
            "virtual_s": self.virtual_s,
            "improvement": {name: each and times(each.reward) for name, each in told.items()},
            "iterations": [
                {
                    "iteration": each.number,
                    "evaluations": each.evaluations,
                    "best_reward": each.reward,
                    "best_improvement": times(each.reward),
                }
                for each in self.iterations
            ],
            "cost": self.cost and self.cost.plain(),
            "cost_per_policy": self.cost and self.per_policy(),
        }

    def per_policy(self) -> dict[str, float | None]:
        """What the models took for each policy that ran to its end; None where none did, or no price is known."""
        if self.cost is None or not self.ok:
            return {"tokens": None, "usd": None, "llm_host_s": None}
        total = self.cost.total
        usd = None if total.unpriced else total.usd / self.ok
        return {"tokens": total.tokens / self.ok, "usd": usd, "llm_host_s": total.host_s / self.ok}


def course_of(entries: Sequence[Line], virtual_s: float, ended_by: str, cost: Cost | None) -> Course:
    """How a search went, out of its record.

    An iteration begins where the agent says so, by a note ``{"iteration": number}``; if it never does, each evaluation
    is one.
    """
    noted = any(_begins(entry) for entry in entries)
    iterations: list[Iteration] = []
    evaluations = ok = 0
    best = -math.inf
    for entry in entries:
        if entry["kind"] == "evaluation":
            evaluations += 1
            if entry["outcome"] == "ok":
                ok += 1
                best = max(best, float(entry["reward"]))
        if _begins(entry) or (entry["kind"] == "evaluation" and not (noted and iterations)):
            iterations.append(Iteration(len(iterations) + 1, 0, None))
        if iterations:
            iterations[-1] = Iteration(len(iterations), evaluations, best if math.isfinite(best) else None)
    return Course(tuple(iterations), evaluations, ok, virtual_s, ended_by, cost)


def write_course(folder: Path, course: Course, head: dict[str, Any]) -> None:
    """Writes ``summary.json``: what the run was, and how it went."""
    write_whole(folder / SUMMARY, json.dumps({**head, **course.plain()}, indent=2) + "\n")


def times(reward: float | None) -> float | None:
    """A reward as an improvement ratio over EEVDF."""
    return None if reward is None else math.exp(reward)


def _begins(entry: Line) -> bool:
    return entry["kind"] == "note" and "iteration" in entry
