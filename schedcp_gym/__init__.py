"""schedcp_gym: beat the Linux scheduler on a real kernel, exactly repeatably.

``import schedcp_gym.envs`` registers the Gymnasium environments; nothing heavy is imported, and nothing is built or
booted until an environment is reset.
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
    """The runs in a folder as a table: a row for each evaluation.

    Columns without a prefix say which run it was (``run``, ``agent``, ``workload``, ``seed``, ``scale``, ``llm``) and
    how the evaluation ended; ``config.*`` is the policy, ``result.*`` what it gave. ``final_reward`` is the run's
    score: the mean reward of its chosen policy on held-out seeds, the worst there is if none of its policies ran to
    the end, and missing while the run has not ended; ``variant_reward`` the same on its held-out variants.

    Args:
        path: A run's folder, a sweep's, or one that holds some.

    Raises:
        BadInput: There is no run in it.
        SchedcpError: A run's file is damaged.
    """
    from pathlib import Path

    from schedcp_gym.run import results

    return results.load_results(Path(path))
