"""Find policies that beat the Linux scheduler, measured exactly on a real kernel.

``import schedcp_gym.envs`` registers the Gymnasium environments. Large packages are imported, and virtual machines are
started, only when an environment is reset.
"""

from importlib.metadata import PackageNotFoundError, version
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import os

    import pandas as pd

try:
    __version__ = version("schedcp_gym")
except PackageNotFoundError:  # a checkout that was not installed
    __version__ = "0+unknown"


def load_results(path: "str | os.PathLike[str]") -> "pd.DataFrame":
    """Return the evaluations of the runs in a folder as a table, a row for each evaluation.

    Columns without a prefix identify the run (``run``, ``agent``, ``workload``, ``seed``, ``scale``, ``llm``) and have
    the outcome; ``config.*`` is the policy, ``result.*`` are its results. ``final_reward`` is the run's score: the mean
    reward of its chosen policy on held-out seeds. It is the lowest possible if no policy ran to its end, and missing if
    the run has not ended. ``variant_reward`` is the same on the held-out variants.

    Example:
        >>> table = schedcp_gym.load_results("runs")  # doctest: +SKIP
        >>> table.groupby(["agent", "workload"])["final_reward"].mean()  # doctest: +SKIP

    Args:
        path: Folder of a run or of a sweep, or a folder that contains runs.

    Raises:
        BadInput: The folder has no run.
        SchedcpError: A run's file is damaged.
    """
    from pathlib import Path

    from schedcp_gym.run import results

    return results.load_results(Path(path))
