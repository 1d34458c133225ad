"""Which tools each role gets, and what an ablation takes away."""

#: The four roles, in the order in which a round calls them (observation once, before the first round).
ROLES = ("observation", "planning", "execution", "learning")

ANALYSIS = (
    "describe_workload",
    "analyze_workload",
    "workload_changes",
    "profile_workload",
    "probe_workload",
    "list_workload_files",
    "read_workload_file",
)
REPOSITORY_READING = ("search_repository", "list_policies", "get_policy", "get_primitive")
TOOLS_OF: dict[str, tuple[str, ...]] = {
    "observation": ANALYSIS,
    "planning": REPOSITORY_READING,
    "execution": (
        "get_policy",
        "get_primitive",
        "submit_policy",
        "measure_policy",
        "deploy_policy",
        "deployment_status",
        "stop_deployment",
    ),
    "learning": ("get_feedback", "get_policy", "record_learning", "add_policy"),
}
