"""Sum up a search for ``summary.json``: improvement by iteration, end and costs."""

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

#: The improvement is reported after the first iteration, after this number (as in the paper), and at best.
SOME = 3
#: The value of ``ended_by`` if the run was interrupted.
INTERRUPTED = "interrupted"


@dataclass(frozen=True)
class Iteration:
    """One iteration of a search.

    Attributes:
        number: Number of the iteration, from 1.
        evaluations: Number of evaluations up to its end.
        reward: The best reward up to its end; None if no policy has run to its end by then.
    """

    number: int
    evaluations: int
    reward: float | None


@dataclass(frozen=True)
class Course:
    """The course of a search.

    Attributes:
        iterations: The iterations in order.
        evaluations: Number of evaluations.
        ok: Number of evaluations with outcome ok.
        virtual_s: Guest seconds, including tools.
        ended_by: Reason why the search ended, in words.
        cost: Costs of the language models; None if none was used.
    """

    iterations: tuple[Iteration, ...]
    evaluations: int
    ok: int
    virtual_s: float
    ended_by: str
    cost: Cost | None

    def after(self, number: int) -> Iteration | None:
        """Return the iteration with a number; None if there were fewer."""
        return self.iterations[number - 1] if number <= len(self.iterations) else None

    @property
    def best(self) -> Iteration | None:
        """Return the first iteration with the best reward."""
        rewards = [each.reward for each in self.iterations if each.reward is not None]
        return next((each for each in self.iterations if rewards and each.reward == max(rewards)), None)

    def as_plain(self) -> dict[str, Any]:
        """Return the contents of ``summary.json``."""
        shown = {"first": self.after(1), f"after_{SOME}": self.after(SOME), "best": self.best}
        return {
            "ended_by": self.ended_by,
            "evaluations": self.evaluations,
            "ok": self.ok,
            "virtual_s": self.virtual_s,
            "improvement": {name: each and times(each.reward) for name, each in shown.items()},
            "iterations": [
                {
                    "iteration": each.number,
                    "evaluations": each.evaluations,
                    "best_reward": each.reward,
                    "best_improvement": times(each.reward),
                }
                for each in self.iterations
            ],
            "cost": self.cost and self.cost.as_plain(),
            "cost_per_policy": self.cost and self.per_policy(),
        }

    def per_policy(self) -> dict[str, float | None]:
        """Return the costs for each policy that ran to its end; None if there is none, or if a price is unknown."""
        if self.cost is None or not self.ok:
            return {"tokens": None, "usd": None, "llm_host_s": None}
        total = self.cost.total
        usd = None if total.unpriced else total.usd / self.ok
        return {"tokens": total.tokens / self.ok, "usd": usd, "llm_host_s": total.host_s / self.ok}


def course_of(entries: Sequence[Line], virtual_s: float, ended_by: str, cost: Cost | None) -> Course:
    """Return the course of a search from its record.

    An iteration begins at each note ``{"iteration": number}`` of the agent. Without such notes, each evaluation is an
    iteration.
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
    """Write ``summary.json``: the run's identity (``head``) and its course."""
    write_whole(folder / SUMMARY, json.dumps({**head, **course.as_plain()}, indent=2) + "\n")


def times(reward: float | None) -> float | None:
    """Return a reward as an improvement ratio over EEVDF."""
    return None if reward is None else math.exp(reward)


def _begins(entry: Line) -> bool:
    return entry["kind"] == "note" and "iteration" in entry
