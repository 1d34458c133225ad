"""Observation: analyse the workload, cheap tiers first."""

from schedcp_gym.baselines.sched_agent.messages import ObservationTask, WorkloadProfile
from schedcp_gym.baselines.sched_agent.role import Role


class Observation(Role[ObservationTask, WorkloadProfile]):
    """Asks the analysis engine, tier by tier, and writes the workload's profile."""

    name = "observation"
    tools = (
        "describe_workload",
        "analyze_workload",
        "workload_changes",
        "profile_workload",
        "probe_workload",
        "list_workload_files",
        "read_workload_file",
    )
    answer = WorkloadProfile
