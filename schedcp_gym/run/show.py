"""Show a run: its progress (on standard error), and tables at its end (on standard output)."""

import logging
import math
from collections.abc import Mapping
from types import TracebackType
from typing import Any, Self

from rich.console import Console, Group
from rich.logging import RichHandler
from rich.markup import escape
from rich.progress import BarColumn, Progress, SpinnerColumn, TaskID, TextColumn, TimeElapsedColumn
from rich.table import Column, Table
from rich.text import Text

from schedcp_gym.envs.base import SchedEnv
from schedcp_gym.envs.render import objective_text, times_text, tunables_text
from schedcp_gym.envs.wrappers import Ledger
from schedcp_gym.llm import Totals
from schedcp_gym.printing import table_of
from schedcp_gym.run.course import SOME, Course
from schedcp_gym.run.heldout import HeldOutPair, Interval, interval, metric_intervals, share_of_possible
from schedcp_gym.run.lines import Chosen
from schedcp_gym.run.model import Cost
from schedcp_gym.run.settings import Settings


class Display:
    """Progress bars on a terminal, plain lines elsewhere."""

    def __init__(self, title: str, ledger: Ledger, console: Console | None = None) -> None:
        """Prepare the display. It is visible within ``with``."""
        self.console = console or Console(stderr=True, highlight=False)
        self.ledger = ledger
        self.best = -math.inf
        self._bars = Progress(
            SpinnerColumn(),
            TextColumn("{task.description}", table_column=Column(no_wrap=True, min_width=24)),
            BarColumn(20, table_column=Column(min_width=20)),
            TextColumn("{task.percentage:>3.0f} %", table_column=Column(no_wrap=True, min_width=5)),
            TimeElapsedColumn(table_column=Column(no_wrap=True, min_width=7)),
            # This column is shortened on a narrow terminal.
            TextColumn("{task.fields[note]}", table_column=Column(no_wrap=True, overflow="ellipsis", ratio=1)),
            expand=True,
            console=self.console,
            disable=not self.console.is_terminal,
        )
        self._title = title
        self._tasks: dict[str, TaskID] = {}
        self._image_text = ""
        self._phase = self._last = ""

    def __enter__(self) -> Self:
        """Show the display."""
        self._bars.start()
        # Print warnings above the bars.
        handler = RichHandler(console=self.console, show_path=False, show_time=False)
        logging.basicConfig(level=logging.WARNING, format="%(message)s", handlers=[handler], force=True)
        self._show("search", self._title, 0.0)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Stop the display. Its last state stays on the terminal."""
        self._bars.stop()

    def image(self, text: str, share: float) -> None:
        """Show a step of the image's build. Any thread may call this."""
        self._show("image", f"image: {text}", share)
        if text != self._image_text:
            self._image_text = text
            self._line(f"image: {text}")

    def evaluation(self, entry: dict[str, Any]) -> None:
        """Show an evaluated policy."""
        number = self.ledger.evaluations + 1  # the ledger counts it after the record
        if entry["outcome"] == "ok":
            self.best = max(self.best, entry["reward"])
        best = times_text(self.best) if math.isfinite(self.best) else "none"
        policy = f"{entry['policy']} {tunables_text(list(entry['tunables'].items()))}".strip()
        result = times_text(entry["reward"]) if entry["outcome"] == "ok" else entry["outcome"]
        self._last = f"best {best}; last {result}: {policy}"
        self._show_search(number)
        limit = self.ledger.budget.evaluations
        self._line(f"evaluation {number}{f'/{limit}' if limit else ''}: {policy}: {result} (best {best})")

    def phase(self, text: str) -> None:
        """Show what the agent does, like a call of a tool. Any thread may call this."""
        self.progress(text)
        self._line(self._phase)

    def progress(self, text: str) -> None:
        """Show the state of a long step, on a terminal only. Any thread may call this."""
        self._phase = " ".join(text.split())
        self._show_search(self.ledger.evaluations)

    def heldout(self, done: int, total: int) -> None:
        """Show the number of finished held-out measurements."""
        self._show("heldout", "held-out seeds", done / total)
        if done in (1, total):
            self._line(f"held-out seeds: {done}/{total} measured")

    def _share(self, evaluations: int) -> float:
        budget = self.ledger.budget
        shares = [evaluations / budget.evaluations] if budget.evaluations else []
        shares += [self.ledger.virtual_s / budget.virtual_s] if budget.virtual_s else []
        return min(1.0, max(shares))

    def _show_search(self, evaluations: int) -> None:
        note = " | ".join(part for part in (self._phase, self._last) if part)
        self._show("search", self._title, self._share(evaluations), note)

    def _show(self, key: str, text: str, share: float, note: str = "") -> None:
        if key not in self._tasks:
            self._tasks[key] = self._bars.add_task(escape(text), total=1.0, note="")
        self._bars.update(self._tasks[key], description=escape(text), completed=share, note=escape(note))

    def _line(self, text: str) -> None:
        if not self.console.is_terminal:
            self.console.print(text, markup=False, soft_wrap=True)


def result_table(
    task: SchedEnv,
    settings: Settings,
    title: str,
    best: Chosen,
    course: Course,
    by_workload: Mapping[str, list[HeldOutPair]],
) -> Table:
    """Return the table at the end of a run: the best policy compared with EEVDF on the held-out seeds."""
    pairs = by_workload[task.workload.name]
    percent = f"{100 * settings.heldout.confidence:g} %"
    words = best["policy"] + (f" with {tunables_text(list(best['tunables'].items()))}" if best["tunables"] else "")
    title = f"{title}: {_which(best)} of {course.evaluations} evaluations\n[bold]{escape(words)}[/bold]"
    headings = ("metric", "EEVDF", "best", "improvement", f"{percent} interval")
    table = table_of(headings, title=title, right=headings[1:], whole=headings)
    table.caption, table.caption_style, table.caption_justify = _caption(task, best, course, pairs), "", "left"
    done = [pair for pair in pairs if pair.measured.ok]
    for name, gained in metric_intervals(task, pairs, settings.heldout.confidence).items():
        if name == task.objective.bound:
            continue  # the bound is not a metric to improve; the caption has the share that was reached
        figures = [_mean([getattr(pair, side).metrics[name] for pair in done]) for side in ("baseline", "measured")]
        style = "bold" if name in task.objective.weights else ""
        table.add_row(name, *figures, times_text(gained.mean), _interval_text(gained), style=style)
    table.add_section()
    for name, mine in by_workload.items():
        rewards = interval([pair.reward for pair in mine], settings.heldout.confidence)
        is_own = mine is pairs
        words = "objective" if is_own else f"held-out variant {escape(name)}"
        style = "bold" if is_own else ""
        table.add_row(words, "", "", times_text(rewards.mean), _interval_text(rewards), style=style)
    return table


def cost_table(cost: Cost, course: Course) -> Group:
    """Return the costs of a run's language models, by role."""
    what = "language model" if cost.are_language_models else "no language model; rules answered instead"
    headings = ("role", "calls", "prompt tokens", "answer tokens", "dollars")
    table = table_of(headings, right=headings[1:], whole=headings)
    for role, sums in cost.by_role.items():
        table.add_row(escape(role), *_cost_cells(sums))
    table.add_section()
    table.add_row("all", *_cost_cells(cost.total), style="bold")
    each = course.per_policy()
    ends = ""
    if each["tokens"] is not None:
        usd = "" if each["usd"] is None else f" and ${each['usd']:,.4f}"
        ends = f"per policy that ran to its end ({course.ok}): {each['tokens']:,.0f} tokens{usd}"
    return Group(Text(f"{', '.join(cost.models)}: {what}"), table, Text(ends))


def _cost_cells(sums: Totals) -> list[str]:
    usd = "unknown" if sums.unpriced == sums.calls else f"{sums.usd:,.4f}"
    if 0 < sums.unpriced < sums.calls:
        usd += f" and {sums.unpriced} calls of unknown price"
    return [f"{sums.calls:,}", f"{sums.prompt_tokens:,}", f"{sums.completion_tokens:,}", usd]


def _course_text(course: Course) -> str:
    """Return the best improvement so far after the first, a later and the best iteration, in one line."""
    some, best = course.after(SOME), course.best
    parts = [f"{_reward_text(course.iterations[0].reward)} after the first of {len(course.iterations)} iterations"]
    parts += [f"{_reward_text(some.reward)} after {SOME}"] if some else []
    parts += [f"{_reward_text(best.reward)} at best (iteration {best.number})"] if best else []
    return ", ".join(parts)


def _reward_text(reward: float | None) -> str:
    return "nothing" if reward is None else times_text(reward)


def _caption(task: SchedEnv, best: Chosen, course: Course, pairs: list[HeldOutPair]) -> str:
    lines = [f"objective: {objective_text(task.workload, task.objective)}; above 1.00x is better than EEVDF"]
    lines.append(f"in the search, on seed {best['workload_seed']}: {_course_text(course)}")
    lines.append(
        f"ended by {course.ended_by}; {course.virtual_s:,.1f} guest seconds, {course.ok} policies ran to their end"
    )
    lines.append(f"the table: means over {len(pairs)} workload seeds that the search never used, in pairs with EEVDF")
    outcomes = sorted({pair.measured.outcome.value for pair in pairs})
    failed = sum(not pair.measured.ok for pair in pairs)
    lines.append(f"outcomes: {', '.join(outcomes)}" + (f" ({failed} of {len(pairs)} failed)" if failed else ""))
    rebound = {dict(pair.policy.tunables).get(name) for pair in pairs for name in best["tunables"]} - set(
        best["tunables"].values()
    )
    if rebound:
        lines.append(f"process names replaced by those of each seed: {', '.join(sorted(map(str, rebound)))}")
    possible = share_of_possible(task, pairs)
    if possible is not None:
        metric = next(iter(task.objective.weights))
        lines.append(f"{metric}: {100 * possible:.1f} % of the best possible value ({task.objective.bound})")
    return escape("\n".join(lines))


def _which(best: Chosen) -> str:
    words = {True: "best that passed all stages of the verifier", False: "best, not verified,"}
    return words[best["verified"]] if "verified" in best else "best"


def _mean(values: list[float]) -> str:
    return f"{math.fsum(values) / len(values):,.3f}"


def _interval_text(gained: Interval) -> str:
    return f"{times_text(gained.low)} to {times_text(gained.high)}"
