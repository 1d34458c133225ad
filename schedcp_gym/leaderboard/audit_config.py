"""A run's configuration: what in it could lead out of the entry, or make its figures mean something else."""

from collections.abc import Iterator
from typing import Any

from schedcp_gym.leaderboard.refusal import Kind, Refusal
from schedcp_gym.machine.image.inputs import DEBIAN_KERNEL
from schedcp_gym.run.folder import CONFIG, RunFolder


def audit_config(run: RunFolder) -> Iterator[Refusal]:
    """Kernel, objective, and the agent's settings of a run."""
    if not DEBIAN_KERNEL.fullmatch(run.settings.machine.kernel):
        # Its packages' scripts would be run when the image is built, and they may be in the entry itself.
        why = f"machine.kernel is {run.settings.machine.kernel}: only Debian's kernels can be had everywhere"
        yield Refusal(Kind.CONFIG, run.file(CONFIG), why)
    try:
        run.objective.check(run.workload.metrics)
    except ValueError as error:
        yield Refusal(Kind.CONFIG, run.file(CONFIG), str(error))
    if _has_target(run.config["agent"]):
        # It would be called by whoever repeats the run with the command on the entry's page.
        yield Refusal(Kind.CONFIG, run.file(CONFIG), "agent has a list with a _target_ in it")


def _has_target(value: Any, *, in_list: bool = False) -> bool:
    if isinstance(value, list):
        return any(_has_target(each, in_list=True) for each in value)
    if isinstance(value, dict):
        mine = in_list and "_target_" in value
        return mine or any(_has_target(each, in_list=in_list) for each in value.values())
    return False
