"""The packages of the extra ``rl``."""

import importlib.util
import logging

from schedcp_gym.spec import MissingTool

#: What tells whether a package is there. RLlib's own code comes with Ray, always; dm-tree is what it imports.
NEEDED = {"torch": "PyTorch", "tree": "RLlib"}


def require() -> None:
    """Makes ready what learning imports; RLlib's notices about itself are not shown.

    Raises:
        MissingTool: A package is not installed; the text names the extra.
    """
    for name, words in NEEDED.items():
        if importlib.util.find_spec(name) is None:
            raise MissingTool(f"reinforcement learning needs {words}: `pip install 'schedcp_gym[rl]'`")
    import ray.rllib  # noqa: F401  before the level is set: Ray sets its own when it is imported
    import torch

    logging.getLogger("ray").setLevel(logging.ERROR)
    # Nets this small gain nothing from threads, sums stay in one order, and the CPUs are for measuring.
    torch.set_num_threads(1)
