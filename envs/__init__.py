"""Gymnasium environments: an action is a scheduling policy, the reward what a real kernel makes of it.

Importing this package registers an id for every workload and kind of action; nothing is built or booted
before an environment is reset::

    import gymnasium, schedcp_gym.envs
    env = gymnasium.make("SchedCP/Schbench-Tune-v0")

``gymnasium.make("schedcp_gym.envs:SchedCP/Schbench-Tune-v0")`` does both in one.
"""

from schedcp_gym.envs.registration import env_id, env_ids, register_all

register_all()

__all__ = ["env_id", "env_ids", "register_all"]
