"""An environment in the form that learners need: the observation is one vector of numbers of similar size."""

from typing import Any

import gymnasium as gym
import numpy as np
from gymnasium import spaces
from gymnasium.wrappers import FlattenObservation, TransformObservation


def as_numbers(env: gym.Env[Any, Any]) -> gym.Env[Any, Any]:
    """Return the environment with flat float32 observations, scaled to [-1, 1] if the space has bounds."""
    if not isinstance(env.observation_space, spaces.Box) or len(env.observation_space.shape) != 1:
        env = FlattenObservation(env)
    space = env.observation_space
    assert isinstance(space, spaces.Box)
    low, high = space.low.astype(np.float32), space.high.astype(np.float32)
    if not (np.isfinite(low).all() and np.isfinite(high).all()):
        as_float32 = spaces.Box(low, high, dtype=np.float32)
        return TransformObservation(env, lambda seen: np.asarray(seen, dtype=np.float32), as_float32)
    # The scale follows from the space, not from observations, so no running statistics belong to a checkpoint.
    width = np.where(high > low, high - low, np.float32(1))
    unit = spaces.Box(-1, 1, shape=space.shape, dtype=np.float32)
    return TransformObservation(env, lambda seen: np.clip(2 * (seen - low) / width - 1, -1, 1).astype(np.float32), unit)
