"""Gymnasium environments: an action is a scheduling policy, and the reward is measured on a real kernel.

Importing this package registers an id for every workload and kind of action. Nothing is built or booted before an
environment is reset.

Example:
    >>> import gymnasium, schedcp_gym.envs
    >>> env = gymnasium.make("SchedCP/Schbench-Tune-v0")

``gymnasium.make("schedcp_gym.envs:SchedCP/Schbench-Tune-v0")`` imports and makes in one call.
"""

from schedcp_gym.envs.registration import env_id, env_ids, register_all

register_all()

__all__ = ["env_id", "env_ids", "register_all"]
