"""Check a run's configuration for values that would make its figures wrong or run code of the entry."""

from collections.abc import Iterator
from typing import Any

from schedcp_gym.leaderboard.flaw import Flaw, FlawKind
from schedcp_gym.machine.image.inputs import DEBIAN_KERNEL
from schedcp_gym.run.folder import CONFIG, RunFolder


def audit_config(run: RunFolder) -> Iterator[Flaw]:
    """Check the kernel, the objective and the agent's settings of a run."""
    if not DEBIAN_KERNEL.fullmatch(run.settings.machine.kernel):
        # Building an image runs the scripts of the kernel's packages, which could be part of the entry.
        why = f"machine.kernel is {run.settings.machine.kernel}: only Debian's kernels are available everywhere"
        yield Flaw(FlawKind.CONFIG, run.file(CONFIG), why)
    try:
        run.objective.check(run.workload.metrics)
    except ValueError as error:
        yield Flaw(FlawKind.CONFIG, run.file(CONFIG), str(error))
    if _has_target(run.config["agent"]):
        # Hydra would call it when somebody repeats the run with the command on the entry's page.
        yield Flaw(FlawKind.CONFIG, run.file(CONFIG), "agent has a list with a _target_ in it")


def _has_target(value: Any, *, in_list: bool = False) -> bool:
    if isinstance(value, list):
        return any(_has_target(each, in_list=True) for each in value)
    if isinstance(value, dict):
        mine = in_list and "_target_" in value
        return mine or any(_has_target(each, in_list=in_list) for each in value.values())
    return False
