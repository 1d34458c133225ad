"""Gymnasium ids: one for every workload and kind of action."""

import re

from schedcp_gym.paths import table_files, workload_declarations

NAMESPACE = "SchedCP"
VERSION = 0
#: Kind of action → class, as Gymnasium's entry point. The class is imported when an environment is made.
KINDS = {
    "Tune": "schedcp_gym.envs.tune:TuneEnv",
    "TuneFlat": "schedcp_gym.envs.tune_flat:TuneFlatEnv",
    "Synth": "schedcp_gym.envs.synth:SynthEnv",
}

#: The kind that answers from a table, for workloads that have one.
TABLE_KIND = "Table"
TABLE_ENTRY_POINT = "schedcp_gym.envs.table:TableEnv"


def env_id(workload: str, kind: str) -> str:
    """Return the Gymnasium id of a workload and a kind of action.

    Example:
        >>> env_id("schbench-4x2", "Tune")
        'SchedCP/Schbench4x2-Tune-v0'
    """
    words = re.split(r"[-_]+", workload)
    return f"{NAMESPACE}/{''.join(word[:1].upper() + word[1:] for word in words)}-{kind}-v{VERSION}"


def kinds(workload: str) -> dict[str, str]:
    """Return a workload's kinds of action, each with its entry point."""
    return KINDS | ({TABLE_KIND: TABLE_ENTRY_POINT} if workload in table_files() else {})


def env_ids() -> list[str]:
    """Return all ids, in order of workload."""
    return [env_id(workload, kind) for workload in sorted(workload_declarations()) for kind in kinds(workload)]


def register_all() -> None:
    """Register the ids that Gymnasium does not have yet. Reads only names of files, so that the import is fast."""
    from gymnasium.envs.registration import register, registry

    for workload in sorted(workload_declarations()):
        for kind, entry_point in kinds(workload).items():
            if env_id(workload, kind) not in registry:
                register(env_id(workload, kind), entry_point=entry_point, kwargs={"workload": workload})
