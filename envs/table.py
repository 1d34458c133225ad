"""Choosing a policy and its tunables, answered from recorded measurements."""

from collections.abc import Mapping, Sequence
from typing import Any

import gymnasium as gym

from schedcp_gym.envs.base import SchedEnv, seed_option
from schedcp_gym.envs.choice import decode_flat, decode_tune, encode_tune, flat_space, load_choices, tune_space
from schedcp_gym.envs.tables import Answers, Table, read_table
from schedcp_gym.envs.tables.stale import changes
from schedcp_gym.spec import EEVDF, BadInput, Measurement, Policy

#: What `actions` may be: the environment whose actions are taken, and their space.
SPACES = {"TuneFlat": flat_space, "Tune": tune_space}


class TableEnv(SchedEnv):
    """Choose a scheduling policy and its tunables, answered at once from measurements that were recorded.

    ## Description
    The task of :class:`~schedcp_gym.envs.tune.TuneEnv` for fast research: a step takes well under a
    millisecond and boots nothing. Every answer is a real measurement on a real kernel, made beforehand at each
    policy's defaults and at Sobol points over its tunables; an action is answered by the nearest of them. Results of an
    agent hold for the table: how near that is to the real environment is its *fidelity*
    (`env.unwrapped.table.about.fidelity`, `schedcp-gym table show`). There is an id for every workload that has a
    table; `schedcp-gym table record WORKLOAD` makes one. A policy that was added to the catalogue since is not in it,
    and one that was changed is answered for as it was; making the environment warns of both.

    ## Action Space
    As :class:`~schedcp_gym.envs.tune_flat.TuneFlatEnv`; with `actions="Tune"` as
    :class:`~schedcp_gym.envs.tune.TuneEnv`, `encode` included.

    Nearest is, among what was recorded of the chosen policy, the configuration with the least mean distance over its
    tunables (Gower 1971): for a number the difference in shares of its range, on a logarithmic scale where it is
    declared so; for a bool 0 or 1; for a name 0 if it has the same rank by CPU time under EEVDF, 1 if one of the two is
    empty, and from a half up to 1 by difference in rank otherwise. A cgroup does not count: none is named in a table.

    ## Observation Space
    As :class:`~schedcp_gym.envs.tune.TuneEnv`.

    ## Rewards
    As :class:`~schedcp_gym.envs.tune.TuneEnv`, of the recorded measurement.

    ## Starting State
    `reset` draws one of the recorded workload seeds. With `options={"workload_seed": n}` it is n, which must be one of
    them.

    ## Episode End
    Never terminates; truncated after `max_steps` steps.

    ## Information
    As :class:`~schedcp_gym.envs.tune.TuneEnv`: `policy`, `tunables` and `measurement` are of the configuration that
    was measured. Beside it `asked` is what the action stood for (`policy`, `tunables`) and
    `distance` how far that is from it, 0 to 1; for an action that stands for no policy they are empty and 0.

    ## Arguments
    `gymnasium.make("SchedCP/Longtail-Table-v0", actions="TuneFlat", max_steps=12,
    objective={"weights": {"makespan_s": 1}}, render_mode="ansi")`. Scale and machine are the table's;
    naming others is an error. `lab` is not used.

    ## Version History
    * v0: first.
    """

    def __init__(self, workload: str, *, actions: str = "TuneFlat", **options: Any) -> None:
        """Reads the table.

        Args:
            workload: A workload's name.
            actions: Whose actions are taken: those of ``TuneFlat`` or of ``Tune``.
            **options: See :class:`~schedcp_gym.envs.base.SchedEnv`.

        Raises:
            BadInput: The workload has no table, or it does not fit the catalogue or an option.
        """
        self.table: Table = read_table(workload)
        about = self.table.about
        recorded = {"scale": about.scale.value, **vars(about.machine)}
        recorded = {name: value for name, value in recorded.items() if not name.startswith("_")}
        super().__init__(workload, **recorded | options)
        if self.scale is not about.scale or self.machine != about.machine:
            raise BadInput(
                f"the table of {workload} is of scale {about.scale}, {about.machine.cpus} CPUs; "
                f"`schedcp-gym table record {workload} --scale … --cpus …` makes another"
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
        """The policy that an action stands for."""
        if self.actions == "Tune":
            return decode_tune(self.choices, action)
        return decode_flat(self.choices, action, self._answers.names if self._answers else [])

    def encode(self, policy: str, values: dict[str, object] | None = None) -> dict[str, Any]:
        """The action of ``Tune`` for a policy by name, with values for some or all of its tunables.

        Raises:
            BadInput: There is no such policy or tunable, a value is not allowed, or other actions are taken.
        """
        if self.actions != "Tune":
            raise BadInput("actions by name are those of Tune: gymnasium.make(…, actions='Tune')")
        return encode_tune(self.choices, policy, values or {})

    def prefetch(self, actions: Sequence[Any]) -> None:
        """Does nothing: all is measured."""

    def is_prefetched(self, action: Any) -> bool:  # noqa: ARG002
        """All is."""
        return True

    def nearest(self, policy: Policy) -> tuple[Policy, Measurement, float]:
        """The configuration that answers for a policy in this episode, what it gave, and how far it is.

        Raises:
            gym.error.ResetNeeded: No episode has begun.
        """
        if self._answers is None:
            raise gym.error.ResetNeeded("call reset() first: no episode has begun")
        return self._answers.find(policy)

    def _seed_of(self, options: Mapping[str, Any], drawn: int) -> int:
        seeds = self.table.about.seeds
        seed = seed_option(options, seeds[drawn % len(seeds)])
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
        again = f"`schedcp-gym table record {self.workload.name}`"
        metrics = {name for row in self.table.rows for name in row.measurement.metrics}
        if not set(self.workload.metrics) <= metrics:
            raise BadInput(f"the metrics of {self.workload.name} have changed since its table was recorded; {again}")
        if changed := changes(self.table.about):
            told = ", ".join(changed)
            gym.logger.warn(f"changed since the table of {self.workload.name} was recorded: {told}; {again} renews it")
