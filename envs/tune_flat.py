"""The environments of kind TuneFlat."""

from typing import Any

from schedcp_gym.envs.base import SchedEnv
from schedcp_gym.envs.choice import decode_flat, flat_space, load_choices
from schedcp_gym.envs.observation import nameable
from schedcp_gym.spec import Policy


class TuneFlatEnv(SchedEnv):
    """Choose a scheduling policy and its tunables with one vector of numbers, for libraries of reinforcement learning.

    ## Description
    The task of :class:`~schedcp_gym.envs.tune.TuneEnv` with another action space.

    ## Action Space
    `Box(-1, 1, (1 + tunables,), float32)`

    The first number chooses the policy: the range is divided into equal parts, for `eevdf` and for the catalogue's
    policies in order of name. The other numbers are the tunables of all policies, in order of policy and declaration.
    Only those of the chosen policy count:

    | type | value |
    |---|---|
    | number | from the lowest (-1) to the highest (1) value, on a logarithmic scale if the tunable declares one |
    | bool | true from 0 up |
    | text | the empty text, or a process name; see below |
    | cgroup | always empty |

    The range of a text is divided into equal parts: the empty text, then the process names seen under EEVDF in this
    episode, in order of CPU time. Names differ between workload seeds, but a number stands for the same role under
    each.

    ## Observation Space
    As in :class:`~schedcp_gym.envs.tune.TuneEnv`.

    ## Rewards
    As in :class:`~schedcp_gym.envs.tune.TuneEnv`.

    ## Starting State
    As in :class:`~schedcp_gym.envs.tune.TuneEnv`.

    ## Episode End
    An episode never terminates. It is truncated after `max_steps` steps.

    ## Information
    As in :class:`~schedcp_gym.envs.tune.TuneEnv`.

    ## Arguments
    As in :class:`~schedcp_gym.envs.tune.TuneEnv`.

    ## Version History
    * v0: first version.
    """

    def __init__(self, workload: str, **options: Any) -> None:
        """Set up the environment; see :class:`~schedcp_gym.envs.base.SchedEnv`."""
        super().__init__(workload, **options)
        self.choices = load_choices()
        self.action_space = flat_space(self.choices)

    def decode(self, action: Any) -> Policy:
        """Return the policy that an action stands for.

        Raises:
            BadInput: The action is malformed.
        """
        return decode_flat(self.choices, action, nameable(self.baseline) if self.baseline else [])
