"""Gymnasium ids: one for every workload folder and kind of action."""

import re

from schedcp_gym.paths import table_files, workload_declarations

NAMESPACE = "SchedCP"
VERSION = 0
#: Kind of action → class, as Gymnasium's entry point: imported when an environment is made, not before.
KINDS = {
    "Tune": "schedcp_gym.envs.tune:TuneEnv",
    "TuneFlat": "schedcp_gym.envs.tune_flat:TuneFlatEnv",
    "Synth": "schedcp_gym.envs.synth:SynthEnv",
}

#: The kind that answers from a table: there for workloads that have one.
TABLE_KIND = "Table"
TABLE_ENTRY_POINT = "schedcp_gym.envs.table:TableEnv"


def env_id(workload: str, kind: str) -> str:
    """The Gymnasium id of a workload and a kind of action: ``SchedCP/Schbench-Tune-v0``."""
    words = re.split(r"[-_]+", workload)
    return f"{NAMESPACE}/{''.join(word[:1].upper() + word[1:] for word in words)}-{kind}-v{VERSION}"


def kinds(workload: str) -> dict[str, str]:
    """A workload's kinds of action, with the class of each."""
    return KINDS | ({TABLE_KIND: TABLE_ENTRY_POINT} if workload in table_files() else {})


def env_ids() -> list[str]:
    """All ids, sorted by workload, then by kind."""
    return [env_id(workload, kind) for workload in sorted(workload_declarations()) for kind in kinds(workload)]


def register_all() -> None:
    """Registers what is not registered yet. Looks at folder names only, so that importing stays cheap."""
    from gymnasium.envs.registration import register, registry

    for workload in sorted(workload_declarations()):
        for kind, entry_point in kinds(workload).items():
            if env_id(workload, kind) not in registry:
                register(env_id(workload, kind), entry_point=entry_point, kwargs={"workload": workload})
