"""The environments of kind Table: answers from recorded measurements."""

from collections.abc import Mapping, Sequence
from typing import Any

import gymnasium as gym

from schedcp_gym.envs.base import SchedEnv
from schedcp_gym.envs.choice import decode_flat, decode_tune, encode_tune, flat_space, load_choices, tune_space
from schedcp_gym.envs.tables import Answers, Table, read_table
from schedcp_gym.envs.tables.stale import changes
from schedcp_gym.spec import EEVDF, BadInput, Measurement, Policy

#: Values of ``actions`` (the kind of environment with these actions) → their space.
SPACES = {"TuneFlat": flat_space, "Tune": tune_space}


class TableEnv(SchedEnv):
    """Choose a scheduling policy and its tunables, answered at once from recorded measurements.

    ## Description
    The task of :class:`~schedcp_gym.envs.tune.TuneEnv` for fast research: a step takes well under a millisecond and
    boots nothing. Every answer is a real measurement on a real kernel, recorded at each policy's defaults and at Sobol
    points over its tunables. The nearest recorded configuration answers for an action.

    An agent's results hold for the table. How near the table is to the real environment is its *fidelity*
    (`env.unwrapped.table.about.fidelity`, or `schedcp-gym table show`). Every workload with a table has an id;
    `schedcp-gym table record WORKLOAD` makes a table. A policy that is newer than the table is not in it. For a policy
    that changed after the recording, the table answers with its old source. Making the environment warns of both.

    ## Action Space
    As in :class:`~schedcp_gym.envs.tune_flat.TuneFlatEnv`. With `actions="Tune"` as in
    :class:`~schedcp_gym.envs.tune.TuneEnv`; then there is `encode` too.

    The nearest configuration is the one of the same policy with the smallest mean distance over its tunables (Gower
    1971):

    | type | distance |
    |---|---|
    | number | difference in shares of its range, on a logarithmic scale if the tunable declares one |
    | bool | 0 or 1 |
    | text | 0 for the same rank by CPU time under EEVDF; 1 if one text is empty; else 0.5 to 1 by difference in rank |
    | cgroup | does not count: in a table it is always empty |

    ## Observation Space
    As in :class:`~schedcp_gym.envs.tune.TuneEnv`.

    ## Rewards
    As in :class:`~schedcp_gym.envs.tune.TuneEnv`, for the recorded measurement.

    ## Starting State
    `reset` draws one of the recorded workload seeds. `reset(options={"workload_seed": n})` chooses the recorded seed n.

    ## Episode End
    An episode never terminates. It is truncated after `max_steps` steps.

    ## Information
    As in :class:`~schedcp_gym.envs.tune.TuneEnv`; `policy`, `tunables` and `measurement` belong to the recorded
    configuration. In addition, `asked` is the configuration of the action (`policy`, `tunables`) and `distance` its
    distance from the recorded one, 0 to 1. After a malformed action they are empty and 0.

    ## Arguments
    ```python
    gymnasium.make(
        "SchedCP/Longtail-Table-v0",
        actions="TuneFlat",  # or Tune
        max_steps=12,
        objective={"weights": {"makespan_s": 1}},  # default: the workload's own
        render_mode="ansi",  # or human, None
    )
    ```
    Scale and machine are the table's; other values are an error. `lab` is not used.

    ## Version History
    * v0: first version.
    """

    def __init__(self, workload: str, *, actions: str = "TuneFlat", **options: Any) -> None:
        """Read the table and set up the environment.

        Args:
            workload: A workload's name.
            actions: Kind of environment whose actions are accepted: ``TuneFlat`` or ``Tune``.
            **options: See :class:`~schedcp_gym.envs.base.SchedEnv`.

        Raises:
            BadInput: The workload has no table, or the table does not fit the catalogue or an option.
        """
        self.table: Table = read_table(workload)
        about = self.table.about
        recorded = {"scale": about.scale.value, **vars(about.machine)}
        recorded = {name: value for name, value in recorded.items() if not name.startswith("_")}
        super().__init__(workload, **recorded | options)
        if self.scale is not about.scale or self.machine != about.machine:
            raise BadInput(
                f"the table of {workload} was recorded at scale {about.scale} on {about.machine.cpus} CPUs; "
                f"`schedcp-gym table record {workload} --scale … --cpus …` records another"
            )
        self._check_catalogue()
        if actions not in SPACES:
            raise BadInput(f"actions must be {' or '.join(map(repr, SPACES))}, not {actions!r}")
        self.actions = actions
        self.choices = tuple(choice for choice in load_choices() if choice.name in about.sources)
        self.action_space: Any = SPACES[actions](self.choices)
        self._seeds: dict[int, Answers] = {}
        self._answers: Answers | None = None
        self._asked: tuple[dict[str, Any], float] = ({}, 0.0)

    def decode(self, action: Any) -> Policy:
        """Return the policy that an action stands for.

        Raises:
            BadInput: The action is malformed.
        """
        if self.actions == "Tune":
            return decode_tune(self.choices, action)
        return decode_flat(self.choices, action, self._answers.names if self._answers else [])

    def encode(self, policy: str, values: dict[str, object] | None = None) -> dict[str, Any]:
        """Return the action of kind ``Tune`` for a policy's name, with values for some or all of its tunables.

        Raises:
            BadInput: There is no such policy or tunable, a value is not allowed, or ``actions`` is not ``Tune``.
        """
        if self.actions != "Tune":
            raise BadInput("encode makes actions of kind Tune: gymnasium.make(…, actions='Tune')")
        return encode_tune(self.choices, policy, values or {})

    def prefetch(self, actions: Sequence[Any]) -> None:
        """Do nothing: everything is measured already."""

    def is_prefetched(self, action: Any) -> bool:  # noqa: ARG002
        """Return True: everything is measured already."""
        return True

    def nearest(self, policy: Policy) -> tuple[Policy, Measurement, float]:
        """Return the recorded configuration that answers for a policy, its measurement, and its distance (0 to 1).

        Raises:
            ResetNeeded: No episode has begun.
        """
        if self._answers is None:
            raise gym.error.ResetNeeded("call reset() first: no episode has begun")
        return self._answers.find(policy)

    def _seed_of(self, options: Mapping[str, Any], drawn: int) -> int:
        seeds = self.table.about.seeds
        seed = super()._seed_of(options, seeds[drawn % len(seeds)])
        if seed not in seeds:
            known = ", ".join(map(str, seeds))
            raise BadInput(f"workload seed {seed} is not in the table of {self.workload.name}; there are: {known}")
        return seed

    def _measure_baseline(self) -> Measurement:
        seed = self.workload_seed
        if seed not in self._seeds:
            self._seeds[seed] = Answers(self.table, seed, self.choices)
        self._answers = self._seeds[seed]
        self._asked = ({"policy": EEVDF, "tunables": {}}, 0.0)
        return self._answers.baseline

    def _measure(self, action: Any) -> tuple[Policy, Measurement]:
        self._asked = ({}, 0.0)
        return super()._measure(action)

    def _answer(self, policy: Policy) -> tuple[Policy, Measurement]:
        answered, measured, distance = self.nearest(policy)
        self._asked = ({"policy": policy.name, "tunables": dict(policy.tunables)}, distance)
        return answered, measured

    def _info(self, policy: Policy, measured: Measurement) -> dict[str, Any]:
        asked, distance = self._asked
        return super()._info(policy, measured) | {"asked": asked, "distance": distance}

    def _check_catalogue(self) -> None:
        name = self.workload.name
        again = f"record it again: `schedcp-gym table record {name}`"
        metrics = {metric for row in self.table.rows for metric in row.measurement.metrics}
        if not set(self.workload.metrics) <= metrics:
            raise BadInput(f"the metrics of {name} have changed since its table was recorded; {again}")
        if changed := changes(self.table.about):
            gym.logger.warn(f"changed since the table of {name} was recorded: {', '.join(changed)}; {again}")
