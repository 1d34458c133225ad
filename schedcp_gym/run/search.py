"""Carry out a run: search, summary, and test on held-out seeds."""

import contextlib
import dataclasses
import json
from pathlib import Path
from typing import Any

import gymnasium as gym

import schedcp_gym.envs  # noqa: F401 (registers the environments)
from schedcp_gym.baselines.agent import Agent, Assignment
from schedcp_gym.envs import env_id
from schedcp_gym.envs.base import Measures, SchedEnv
from schedcp_gym.envs.registration import kinds
from schedcp_gym.envs.wrappers import Budgeted, BudgetSpent, Ledger, Recorded
from schedcp_gym.lab import Lab, catalogue
from schedcp_gym.lab.cluster.executor import RayExecutor
from schedcp_gym.llm import Client, LlmBudgetSpent
from schedcp_gym.printing import console_of
from schedcp_gym.run.course import INTERRUPTED, Course, course_of, write_course
from schedcp_gym.run.folder import open_run
from schedcp_gym.run.heldout import HeldOutPair, compare, names_seen, variant_tasks
from schedcp_gym.run.lines import Chosen
from schedcp_gym.run.model import cost_of, open_client, shown_as, spent_so_far, spent_text
from schedcp_gym.run.record import Record, RecordedLab
from schedcp_gym.run.settings import Settings
from schedcp_gym.run.show import Display, cost_table, result_table
from schedcp_gym.run.summary import best_of, write_best, write_summary
from schedcp_gym.spec import BadInput, Policy, source_sha256

#: Width of the table if the output is not a terminal.
WIDTH = 120


class Run:
    """A run of one agent on one task with one seed, in its own folder."""

    def __init__(self, settings: Settings, agent: Agent, agent_name: str, folder: Path) -> None:
        """Open the folder's record. No image is built and no machine is started yet.

        Raises:
            SchedcpError: A name does not exist, or the record is damaged.
        """
        self.settings = settings
        self.agent = agent
        if agent.uses_tools and agent.action != "Synth":
            raise BadInput(f"{agent_name} uses tools, so its actions must be sources: set action = 'Synth'")
        self.agent_name = agent_name
        model = f" ({shown_as(settings.llm.model)})" if agent.uses_llm else ""
        self.title = f"{agent_name}{model} on {settings.workload.name}"
        self.folder = folder
        self.record = Record(folder)
        self.ledger = Ledger(settings.budget)
        self.display = Display(self.title, self.ledger)
        executor = RayExecutor(settings.ray) if settings.ray.address else None
        lab = Lab(workers=settings.workers, cache=settings.cache, executor=executor, report=self.display.image)
        self.lab: Measures = RecordedLab(lab, self.record.old)
        self.task = self._make_task()
        variant_tasks(self.task, settings.heldout)  # report a wrong variant before the search
        self._names: dict[tuple[str, str], str] = {}
        self._client: Client | None = None
        self.ended_by = INTERRUPTED

    def carry_out(self) -> None:
        """Search, test the best policy on held-out seeds, write the results, and print the table.

        Raises:
            KeyboardInterrupt: The run was interrupted. Record and summary have all measurements so far.
            SchedcpError: A requirement is missing, or the host failed. The same applies.
        """
        best = None
        pairs: dict[str, list[HeldOutPair]] = {}
        try:
            with self.display:
                self.search()
                best = best_of(self.record.entries)
                if best:
                    pairs = self._hold_out(best)
        finally:
            self._sum_up(pairs)
        console = console_of(WIDTH)
        course = self._course()
        if best is None:
            console.print(f"{self.title}: no policy ran to its end, see {self.record.path}", soft_wrap=True)
        else:
            console.print(result_table(self.task, self.settings, self.title, best, course, pairs))
        if course.cost:
            console.print(cost_table(course.cost, course))
        console.print(f"record, summary and best policy: {self.folder}", soft_wrap=True)

    def _make_task(self) -> SchedEnv:
        settings = self.settings
        catalogue.load_workload(settings.workload.name)  # its error message is clearer than Gymnasium's
        if self.agent.action not in (known := kinds(settings.workload.name)):
            raise catalogue.unknown("kind of action", self.agent.action, known)
        task = gym.make(
            env_id(settings.workload.name, self.agent.action),
            disable_env_checker=True,
            scale=settings.scale.value,
            max_steps=settings.episode_steps,
            objective=settings.objective,
            lab=lambda: self.lab,
            **dataclasses.asdict(settings.machine),
        ).unwrapped
        assert isinstance(task, SchedEnv)
        return task

    def search(self) -> None:
        """Run the agent until the budget is used up, or the agent ends the search."""
        env = Budgeted(Recorded(self.task, self._measured), self.ledger)
        try:
            with contextlib.ExitStack() as opened:
                self.agent.run(self._assignment(env, opened))
            self.ended_by = self._budget_text() if self.ledger.is_spent else f"the agent: {self._agents_reason()}"
        except BudgetSpent:
            self.ended_by = self._budget_text()
        except LlmBudgetSpent as stop:
            self.ended_by = spent_text(stop.limit, self.settings.budget)

    def _agents_reason(self) -> str:
        """Return the agent's reason to end the search, from its note ``{"ended": text}``."""
        notes = [entry["ended"] for entry in self.record.entries if entry["kind"] == "note" and "ended" in entry]
        return notes[-1] if notes else "it had nothing more to try"

    def _assignment(self, env: gym.Env[Any, Any], opened: contextlib.ExitStack) -> Assignment:
        """Return the agent's inputs. Only what the agent uses is opened."""
        settings, tell = self.settings, self.display.phase

        def note(fields: dict[str, Any]) -> None:
            self.record.add({**fields, "kind": "note"})

        client = self._client = open_client(settings, self.folder, tell) if self.agent.uses_llm else None
        tools = None
        if self.agent.uses_tools:
            # The control plane needs packages of an extra, which agents without tools do without.
            from schedcp_gym.run.tools import open_tools

            tools = opened.enter_context(
                open_tools(
                    settings,
                    self.folder,
                    env,
                    self.ledger,
                    author=self.agent_name,
                    report=self.display.image,
                    named=self._named,
                    tell=tell,
                    progress=self.display.progress,
                )
            )
        return Assignment(env, settings.seed, self.ledger, note, client, tools, tell)

    def _budget_text(self) -> str:
        budget, ledger = self.settings.budget, self.ledger
        spent = {"evaluations": ledger.evaluations_left <= 0, "virtual_s": ledger.is_time_spent}
        return "the budget: " + ", ".join(f"{name}={getattr(budget, name)}" for name, over in spent.items() if over)

    def _named(self, policy: Policy) -> None:
        """Remember the name of a policy that is about to be measured."""
        self._names[_identity(source_sha256(policy.source), dict(policy.tunables))] = policy.name

    def _measured(self, entry: dict[str, Any], policy: Policy) -> None:
        known = self._names.get(_identity(entry["source_sha256"], entry["tunables"]))
        entry = {**entry, "policy": known} if known else entry
        if self._client and entry["kind"] == "evaluation":
            entry = {**entry, "llm": spent_so_far(self._client)}
        self.record.add(entry, policy)
        if entry["kind"] == "evaluation":
            self.display.evaluation(entry)

    def _course(self) -> Course:
        cost = cost_of(open_run(self.folder).calls)
        return course_of(self.record.entries, self.ledger.virtual_s, self.ended_by, cost)

    def _hold_out(self, best: Chosen) -> dict[str, list[HeldOutPair]]:
        """Test the best policy. Return the pairs by workload: the run's own, then its held-out variants."""
        source = self.record.policies[best["source_sha256"]].source
        policy = Policy(best["policy"], source, tuple(best["tunables"].items()))
        heldout = self.settings.heldout
        tests = [(self.task, heldout.seeds)]
        tests += [(task, heldout.variant_seeds) for task in variant_tasks(self.task, heldout)]
        done, total = 0, 2 * sum(seeds for _task, seeds in tests)

        def tell(entry: dict[str, Any], measured: Policy) -> None:
            nonlocal done
            done += 1
            self.record.add(entry, measured)
            self.display.heldout(done, total)

        names = names_seen(self.record.entries, best["workload_seed"])
        return {
            task.workload.name: compare(task, self.lab, policy, names, heldout, tell, seeds=seeds)
            for task, seeds in tests
        }

    def _sum_up(self, pairs: dict[str, list[HeldOutPair]]) -> None:
        if not self.record.evaluations:
            return
        write_summary(self.record)
        settings = self.settings
        write_course(
            self.folder,
            self._course(),
            {
                "agent": self.agent_name,
                "model": shown_as(settings.llm.model) if self.agent.uses_llm else None,
                "workload": settings.workload.name,
                "scale": settings.scale.value,
                "seed": settings.seed,
            },
        )
        best = best_of(self.record.entries)
        if best:
            write_best(self.folder, best, self.settings.seed, pairs, self.settings.heldout.confidence)


def _identity(sha256: str, tunables: dict[str, Any]) -> tuple[str, str]:
    return sha256, json.dumps(tunables, sort_keys=True)
