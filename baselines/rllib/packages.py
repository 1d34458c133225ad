"""The packages of the extra ``rl``."""

import importlib.util
import logging

from schedcp_gym.spec import MissingTool

#: Import name → what it is for. Ray always contains RLlib's own code; dm-tree is a package that RLlib imports.
NEEDED = {"torch": "PyTorch", "tree": "RLlib"}


def require() -> None:
    """Import RLlib without its notices, and limit torch to one thread.

    Raises:
        MissingTool: A package is not installed; the text names the extra.
    """
    for name, words in NEEDED.items():
        if importlib.util.find_spec(name) is None:
            raise MissingTool(f"reinforcement learning needs {words}: `pip install 'schedcp_gym[rl]'`")
    import ray.rllib  # noqa: F401  before the level is set: Ray sets its own when it is imported
    import torch

    logging.getLogger("ray").setLevel(logging.ERROR)
    # Networks this small gain nothing from threads. One thread keeps sums in one order and leaves CPUs for measuring.
    torch.set_num_threads(1)
