"""sched_agent: four roles, each with a context of its own, in an in-context reinforcement-learning loop."""

from collections.abc import Mapping, Sequence
from typing import Any

from schedcp_gym.baselines.agent import Agent, Assignment
from schedcp_gym.baselines.sched_agent.ablation import ROLES, Ablation
from schedcp_gym.baselines.sched_agent.loop import Limits, Loop
from schedcp_gym.baselines.sched_agent.role import Role
from schedcp_gym.spec import BadInput


class SchedAgent(Agent):
    """Observes once; then plans, executes and learns, round by round, as in the SchedCP paper (arXiv 2509.01245).

    The roles exchange structured messages (``messages``) and see nothing else of each other's work. Results in these
    messages come from the tools' data. The agent finds a policy when it has passed all stages of the verifier.
    """

    action = "Synth"
    uses_llm = True
    uses_tools = True

    def __init__(
        self,
        *,
        roles: Mapping[str, Role[Any, Any]],
        rounds: int = 3,
        candidates: int | None = None,
        patience: int = 2,
        full_verifications: int = 2,
        repairs: int = 2,
        least_gain: float = 0.02,
        repository: bool = True,
        analysis: bool = True,
        verifier_feedback: bool = True,
        learning: bool = True,
        merge: Sequence[str] | None = None,
    ) -> None:
        """Store the settings; ``configs/agent/sched_agent.yaml`` explains it.

        Args:
            roles: By name: observation, planning, execution, learning.
            rounds: Number of rounds of planning, execution and learning.
            candidates: Candidates in a round; None: the evaluations that are left, divided by the rounds that are left.
            patience: Rounds without a better policy after which the search ends.
            full_verifications: Limit of policies that go through all stages of the verifier.
            repairs: Limit of repairs of a rejected source.
            least_gain: Share by which a policy must be better than the deployed one to replace it.
            repository: See :class:`~schedcp_gym.baselines.sched_agent.ablation.Ablation`.
            analysis: Likewise.
            verifier_feedback: Likewise.
            learning: Likewise.
            merge: Roles that share one context, whose conversation lasts for the whole run; None: each has its own.

        Raises:
            BadInput: There is no such role, or one is missing.
        """
        _check_roles(roles, "roles", all_needed=True)
        _check_roles(merge or (), "merge", all_needed=False)
        self._roles = dict(roles)
        self._limits = Limits(
            rounds=rounds,
            candidates=candidates,
            patience=patience,
            full_verifications=full_verifications,
            repairs=repairs,
            least_gain=least_gain,
        )
        self._ablation = Ablation(repository, analysis, verifier_feedback, learning)
        self._merge = tuple(merge or ())

    def run(self, given: Assignment) -> None:
        """Search until a budget is spent, patience ends, or no gain is expected."""
        Loop(given, self._roles, self._limits, self._ablation, self._merge).carry_out()


def _check_roles(names: Sequence[str] | Mapping[str, Any], setting: str, *, all_needed: bool) -> None:
    wrong = sorted(set(names) - set(ROLES))
    missing = [name for name in ROLES if name not in names] if all_needed else []
    if wrong:
        raise BadInput(f"agent.{setting}: there is no role {wrong[0]!r}; there are: {', '.join(ROLES)}")
    if missing:
        raise BadInput(f"agent.{setting}: {missing[0]} is missing")
