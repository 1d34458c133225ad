"""The loop: observe, then plan, execute and learn in each round."""

from collections.abc import Mapping, Sequence
from typing import Any

from pydantic import ConfigDict, Field
from pydantic.dataclasses import dataclass

from schedcp_gym.baselines.agent import Assignment
from schedcp_gym.baselines.sched_agent.ablation import Ablation
from schedcp_gym.baselines.sched_agent.facts import Facts
from schedcp_gym.baselines.sched_agent.messages import (
    ExecutionReport,
    ExecutionTask,
    LearningTask,
    Left,
    Lessons,
    ObservationTask,
    Plan,
    PlanningTask,
    WorkloadProfile,
)
from schedcp_gym.baselines.sched_agent.role import Context, Role, plain
from schedcp_gym.baselines.sched_agent.target import target_of
from schedcp_gym.baselines.sched_agent.workbench import DEPLOY, SUBMIT, Workbench
from schedcp_gym.envs.base import SchedEnv
from schedcp_gym.envs.wrappers import BudgetSpent
from schedcp_gym.llm import LlmBudgetSpent

#: Candidates of a round if neither the configuration nor the budget limits them.
_CANDIDATES = 4


@dataclass(frozen=True, config=ConfigDict(extra="forbid"))
class Limits:
    """Limits of a run beside its budget; see :class:`~schedcp_gym.baselines.sched_agent.agent.SchedAgent`."""

    rounds: int = Field(ge=1)
    candidates: int | None = Field(ge=1)
    patience: int = Field(ge=1)
    full_verifications: int = Field(ge=0)
    repairs: int = Field(ge=0)
    least_gain: float = Field(ge=0)


class Loop:
    """One run of the agent."""

    def __init__(
        self,
        given: Assignment,
        roles: Mapping[str, Role[Any, Any]],
        limits: Limits,
        ablation: Ablation,
        merge: Sequence[str],
    ) -> None:
        """Prepare the roles' contexts; nothing is asked or measured yet."""
        assert given.llm is not None
        assert given.tools is not None
        self._given = given
        self._roles = roles
        self._limits = limits
        self._ablation = ablation
        self._facts = Facts()
        self._bench = Workbench(
            given.tools,
            self._facts,
            lambda: given.ledger.evaluations_left,
            limits.full_verifications,
            ablation.verifier_feedback,
        )
        self._contexts = {name: self._context((name,), False) for name in roles}
        if merge:
            self._contexts |= dict.fromkeys(merge, self._context([name for name in roles if name in merge], True))
        self._lessons: Lessons | None = None
        self._remarks = ""

    def _context(self, names: Sequence[str], is_kept: bool) -> Context:
        assert self._given.llm is not None
        roles = [self._roles[name] for name in names]
        tools = dict.fromkeys(tool for role in roles for tool in self._ablation.tools(role.tools))
        return Context(
            client=roles[0].client(self._given.llm),
            workbench=self._bench,
            instructions=self._ablation.instructions("\n\n".join(role.instructions for role in roles)),
            tools=self._bench.offered(tools),
            is_kept=is_kept,
            tell=self._given.tell,
        )

    def carry_out(self) -> None:
        """Search, and note the best verified policy as the chosen one, whatever ends the search.

        Raises:
            BudgetSpent: The run's virtual seconds are spent.
            LlmBudgetSpent: The model's budget is spent.
            SchedcpError: The host or the model failed.
        """
        self._given.env.reset(seed=self._given.seed)
        try:
            why = self._search()
        except LlmBudgetSpent as spent:
            self._finish(str(spent))
            raise
        except BudgetSpent:  # no tool can be called any more
            self._note_found("the budget's guest seconds are spent")
            raise
        self._finish(why)

    def _search(self) -> str:
        best, waited = 0.0, 0
        profile, seed = self._observe(), self._task.workload_seed
        for number in range(1, self._limits.rounds + 1):
            if self._task.steps_left <= 0:
                self._given.env.reset()
            if self._task.workload_seed != seed:  # the processes have other names
                profile, seed = self._observe(), self._task.workload_seed
            self._facts.begin_round(number)
            self._given.note({"iteration": number})
            why = self._round(number, profile)
            gained, best = self._gained(best)
            waited = 0 if gained else waited + 1
            if why:
                return why
            if waited >= self._limits.patience:
                return f"no better policy in {waited} rounds"
            if self._given.ledger.evaluations_left <= 0:
                return "the budget's evaluations are spent"
        return f"all {self._limits.rounds} rounds are done"

    def _observe(self) -> WorkloadProfile:
        self._target = target_of(self._task)
        profile: WorkloadProfile | None = self._ask("observation", ObservationTask(self._target))
        profile = profile or WorkloadProfile(self._target.workload, "mixed", "Observation found nothing.", ())
        self._note("profile", profile=plain(profile))
        return profile

    @property
    def _task(self) -> SchedEnv:
        task = self._given.env.unwrapped
        assert isinstance(task, SchedEnv)
        return task

    def _gained(self, before: float) -> tuple[bool, float]:
        best = self._facts.best.improvement if self._facts.best else 0.0
        return best > before * (1 + self._limits.least_gain), max(best, before)

    def _round(self, number: int, profile: WorkloadProfile) -> str:
        """Carry a round out, and return the reason to stop, if there is one."""
        planning = PlanningTask(
            self._target, profile, self._left(number), tuple(self._facts.tried), self._lessons, self._remarks
        )
        left = planning.left
        self._bench.begin_round(left.candidates)
        plan: Plan | None = self._ask("planning", planning)
        self._note("plan", round=number, plan=plain(plan) if plan else None)
        if plan is None:
            return ""
        if plan.no_gain_expected or not plan.candidates:
            return f"no gain is expected: {plan.reasoning}"
        plan = Plan(plan.reasoning, plan.candidates[: left.candidates])
        report = self._execute(number, plan, left)
        return self._learn(number, profile, plan, report)

    def _execute(self, number: int, plan: Plan, left: Left) -> ExecutionReport:
        unverified = self._facts.unverified(self._limits.least_gain)[:3]
        task = ExecutionTask(self._target, plan, left, self._facts.deployed, unverified)
        report: ExecutionReport | None = self._ask("execution", task)
        self._facts.name_candidates(number, plan, report)
        report = report or ExecutionReport((), remarks="Execution gave no report.")
        self._remarks = report.remarks
        best, deployed = self._facts.best, self._facts.deployed
        self._note(
            "execution",
            round=number,
            report=plain(report),
            tried=[plain(one) for one in self._facts.of_round(number)],
            best_improvement=best.improvement if best else None,
            deployed_improvement=deployed.improvement if deployed else None,
        )
        self._given.tell(f"round {number}: best so far {best.improvement if best else 0:.2f}x EEVDF")
        return report

    def _learn(self, number: int, profile: WorkloadProfile, plan: Plan, report: ExecutionReport) -> str:
        if not self._ablation.learning:
            return ""
        history = tuple(one for one in self._facts.tried if one.round < number)
        task = LearningTask(
            self._target,
            profile,
            plan,
            report,
            self._facts.of_round(number),
            history,
            self._lessons,
            self._left(number),
        )
        lessons: Lessons | None = self._ask("learning", task)
        if lessons is None:
            return ""
        self._lessons = lessons
        self._note("lessons", round=number, lessons=plain(lessons))
        return "" if lessons.go_on else f"no gain is expected: {lessons.why}"

    def _left(self, number: int) -> Left:
        rounds = self._limits.rounds - number + 1
        evaluations = self._given.ledger.evaluations_left
        limited = None if evaluations == float("inf") else int(evaluations)
        share = _CANDIDATES if limited is None else -(-limited // rounds)
        # A round does not extend into the next episode, which has another workload seed.
        wanted = min(self._limits.candidates or share, self._task.steps_left)
        return Left(
            rounds=rounds,
            evaluations=limited,
            candidates=wanted if limited is None else min(wanted, limited),
            full_verifications=self._bench.verifications_left,
            repairs=self._limits.repairs,
        )

    def _ask(self, name: str, task: Any) -> Any:
        return self._roles[name].ask(self._contexts[name], task)

    def _finish(self, why: str) -> None:
        """Verify and deploy the best policy if the roles did not, and note the run's result."""
        for one in self._facts.unverified(self._limits.least_gain):
            if not self._bench.verifications_left:
                break
            self._given.tell(f"end: verifying {one.policy}, the best so far")
            what = {"policy": one.policy, "tunables": one.tunables}
            verdict = self._bench.call(SUBMIT, {**what, "stages": "full"})
            if verdict.data.get("passed"):
                self._bench.call(DEPLOY, {**what, "workload": self._target.workload, "token": verdict.data["token"]})
                break
        self._note_found(why)

    def _note_found(self, why: str) -> None:
        """Note the run's result, and why it ended."""
        found = self._facts.chosen
        rounds = sorted({one.round for one in self._facts.tried})
        first = self._facts.tried[0].improvement if self._facts.tried else None
        best = [max(one.improvement for one in self._facts.tried if one.round <= number) for number in rounds]
        self._note("end", first_improvement=first, best_improvement_by_round=best)
        self._given.note({"ended": why})
        self._given.note({"chosen": {"evaluation": self._facts.evaluation(found)} if found else None})
        self._given.tell(f"end: {why}")

    def _note(self, event: str, **fields: Any) -> None:
        self._given.note({"event": event, **fields})
