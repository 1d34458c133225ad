"""An environment as learners want it: one vector of numbers of about the same size."""

from typing import Any

import gymnasium as gym
import numpy as np
from gymnasium import spaces
from gymnasium.wrappers import FlattenObservation, TransformObservation


def as_numbers(env: gym.Env[Any, Any]) -> gym.Env[Any, Any]:
    """The same environment, its observations flat, float32, and in [-1, 1] where the space has bounds."""
    if not isinstance(env.observation_space, spaces.Box) or len(env.observation_space.shape) != 1:
        env = FlattenObservation(env)
    space = env.observation_space
    assert isinstance(space, spaces.Box)
    low, high = space.low.astype(np.float32), space.high.astype(np.float32)
    if not (np.isfinite(low).all() and np.isfinite(high).all()):
        as_float32 = spaces.Box(low, high, dtype=np.float32)
        return TransformObservation(env, lambda seen: np.asarray(seen, dtype=np.float32), as_float32)
    # The bounds are the space's, not what was seen: nothing has to be learnt, kept or restored for them.
    width = np.where(high > low, high - low, np.float32(1))
    unit = spaces.Box(-1, 1, shape=space.shape, dtype=np.float32)
    return TransformObservation(env, lambda seen: np.clip(2 * (seen - low) / width - 1, -1, 1).astype(np.float32), unit)
