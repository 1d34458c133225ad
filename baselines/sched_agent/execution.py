"""Execution: carry a plan out."""

from schedcp_gym.baselines.sched_agent.messages import ExecutionReport, ExecutionTask
from schedcp_gym.baselines.sched_agent.role import Role


class Execution(Role[ExecutionTask, ExecutionReport]):
    """Writes sources, submits and repairs them, measures the candidates, and deploys the best with its token."""

    name = "execution"
    tools = (
        "get_policy",
        "get_primitive",
        "submit_policy",
        "measure_policy",
        "deploy_policy",
        "deployment_status",
        "stop_deployment",
    )
    answer = ExecutionReport
