"""Parts that a run can leave out, to measure their worth."""

from dataclasses import dataclass

from schedcp_gym.baselines.sched_agent.role import PROMPTS
from schedcp_gym.llm import prompt

#: The roles, in the order in which they are called (observation once, the others in each round).
ROLES = ("observation", "planning", "execution", "learning")
#: Tools that are left out with a part.
_TOOLS = {
    "repository": (
        "search_repository",
        "list_policies",
        "get_policy",
        "get_primitive",
        "record_learning",
        "add_policy",
    ),
    "analysis": (
        "analyze_workload",
        "workload_changes",
        "profile_workload",
        "probe_workload",
        "list_workload_files",
        "read_workload_file",
        "get_feedback",
    ),
    "verifier_feedback": (),
}


@dataclass(frozen=True)
class Ablation:
    """The parts of the agent; all True is the whole agent.

    Attributes:
        repository: The policy repository: policies, primitives, lessons.
        analysis: The analysis engine: traces, profiles, the workload's files, feedback. The description stays.
        verifier_feedback: The verifier's reports; without them, only whether a policy passed.
        learning: The Learning role. Without it planning still sees what was measured.
    """

    repository: bool = True
    analysis: bool = True
    verifier_feedback: bool = True
    learning: bool = True

    @property
    def _missing(self) -> list[str]:
        return [part for part in _TOOLS if not getattr(self, part)]

    def tools(self, names: tuple[str, ...]) -> list[str]:
        """Return a role's tools without those that are left out."""
        taken = {name for part in self._missing for name in _TOOLS[part]}
        return [name for name in names if name not in taken]

    def instructions(self, text: str) -> str:
        """Return a role's instructions, with a line for each part that is left out."""
        return "\n\n".join([text, *(prompt(f"without_{part}", PROMPTS) for part in self._missing)])
