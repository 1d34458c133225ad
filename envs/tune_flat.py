"""Choosing a policy and its tunables, as one vector."""

from typing import Any

from schedcp_gym.envs.base import SchedEnv
from schedcp_gym.envs.choice import decode_flat, flat_space, load_choices
from schedcp_gym.envs.observation import nameable
from schedcp_gym.spec import Policy


class TuneFlatEnv(SchedEnv):
    """Choose a scheduling policy and its tunables with one vector of numbers, for RL libraries.

    ## Description
    The task of :class:`~schedcp_gym.envs.tune.TuneEnv` with another action space.

    ## Action Space
    `Box(-1, 1, (1 + tunables,), float32)`. The first number chooses the policy: the range is cut into equal parts for
    `eevdf` and the catalogue's policies by name. The others are the tunables of all policies, in the order of
    policies and of declaration; only the chosen policy's count. A number covers its range from low to high, on a
    logarithmic scale where the tunable is declared so. A bool is true from 0 up. A text chooses among the
    process names seen under EEVDF in this episode: the range is cut into equal parts for the empty text and the
    names, the name with most CPU time first, so that a number means the same role under every workload seed.

    ## Observation Space
    As :class:`~schedcp_gym.envs.tune.TuneEnv`.

    ## Rewards
    As :class:`~schedcp_gym.envs.tune.TuneEnv`.

    ## Starting State
    As :class:`~schedcp_gym.envs.tune.TuneEnv`.

    ## Episode End
    Never terminates; truncated after `max_steps` steps.

    ## Information
    As :class:`~schedcp_gym.envs.tune.TuneEnv`.

    ## Arguments
    As :class:`~schedcp_gym.envs.tune.TuneEnv`.

    ## Version History
    * v0: first.
    """

    def __init__(self, workload: str, **options: Any) -> None:
        """See :class:`~schedcp_gym.envs.base.SchedEnv`."""
        super().__init__(workload, **options)
        self.choices = load_choices()
        self.action_space = flat_space(self.choices)

    def decode(self, action: Any) -> Policy:
        """The policy that an action stands for."""
        return decode_flat(self.choices, action, nameable(self.baseline) if self.baseline else [])
