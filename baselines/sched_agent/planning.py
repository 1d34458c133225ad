"""Planning: choose what to try."""

from schedcp_gym.baselines.sched_agent.messages import Plan, PlanningTask
from schedcp_gym.baselines.sched_agent.role import Role


class Planning(Role[PlanningTask, Plan]):
    """Searches the repository, and chooses a round's candidates: configured, patched, or composed anew."""

    name = "planning"
    tools = ("search_repository", "list_policies", "get_policy", "get_primitive")
    answer = Plan
