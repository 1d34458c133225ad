"""Choosing a policy and its tunables."""

from typing import Any

from schedcp_gym.envs.base import SchedEnv
from schedcp_gym.envs.choice import decode_tune, encode_tune, load_choices, tune_space
from schedcp_gym.spec import Policy


class TuneEnv(SchedEnv):
    """Choose a scheduling policy from the catalogue and set its tunables.

    ## Description
    A real Linux kernel in a virtual machine runs a workload under the policy that the action chooses. The task is
    to do better than the kernel's own scheduler, EEVDF. One step is one measurement from a freshly restored
    machine; steps don't influence each other. On the virtual clock results are exact: the same seed
    and actions give the same numbers on any host.

    ## Action Space
    `Dict("policy": Discrete(n), "tunables": Dict(policy name: Dict(tunable name: space)))`. `policy` counts `eevdf`
    (0, the kernel's own) and the catalogue's policies by name (`env.unwrapped.choices`). Only the chosen policy's
    tunables count, and those left out keep their defaults. Numbers are `Box(low, high, (), int64)` in the
    tunable's own unit (its name says which), bools `Discrete(2)`, texts `Text` of up to 15 characters (the
    beginning of a process's name).
    `env.unwrapped.encode("fifo", {"slice_us": 3000})` makes an action from names. Sampling the space is uniform;
    for tunables whose range is to be searched on a logarithmic scale (`tunable.log`), use
    `schedcp_gym.envs.choice.value_at`.

    ## Observation Space
    `Dict`, all numbers float32 and finite, about the last measurement (EEVDF's after `reset`):

    | key | space | meaning |
    |---|---|---|
    | metrics | Box(-3, 3, (metrics,)) | log improvement over EEVDF by metric, in order of name; above 0 is better |
    | events | Box(0, 44, (events,)) | log1p of sched_ext's counters (`schedcp_gym.envs.observation.EVENTS`) |
    | utilisation | Box(0, 1, (1,)) | share of the CPUs' time spent busy |
    | cpu_shares | Box(0, 1, (8,)) | share of CPU time of the 8 process names with most, falling |
    | outcome | Discrete(7) | number of the outcome in `schedcp_gym.spec.Outcome` |
    | best_reward | Box(-3, 3, (1,)) | best reward of the episode so far; 0, EEVDF's, at least |
    | steps_left | Box(0, 1, (1,)) | share of the episode's steps that are left |

    After a failure all metrics are -3.

    ## Rewards
    The log of the improvement ratio over EEVDF in the objective's metrics (weighted mean), within [-3, 3]: 0 is
    EEVDF, 0.69 twice as good. Any outcome but `ok` (rejected, ejected, timeout, guest_crash, workload_error) earns -3.
    An action that stands for no policy is `rejected`.

    ## Starting State
    `reset` draws a workload seed below 2**30 from the environment's generator and measures EEVDF on it. With
    `options={"workload_seed": n}` the workload seed is n. A workload's seed decides process names, sizes, orders.

    ## Episode End
    Never terminates; truncated after `max_steps` steps.

    ## Information
    JSON-able: `policy`, `tunables`, `source_sha256`, `outcome`, `message` (why not ok), `reward_parts` (log
    improvement by metric), `measurement` and `baseline` (all of both, but for host timings), `processes` (CPU
    seconds by process name under EEVDF, falling), `budget_spent` (in a run), `workload`, `scale`,
    `workload_seed`, `step`.

    ## Arguments
    `gymnasium.make("SchedCP/Schbench-Tune-v0", scale="smoke", cpus=2, clock="virtual", kernel="debian", max_steps=12,
    objective={"weights": {"p99_wakeup_us": 1}}, lab=Lab(...), render_mode="ansi")`; see
    :class:`~schedcp_gym.envs.base.SchedEnv`.

    ## Version History
    * v0: first.
    """

    def __init__(self, workload: str, **options: Any) -> None:
        """See :class:`~schedcp_gym.envs.base.SchedEnv`."""
        super().__init__(workload, **options)
        self.choices = load_choices()
        self.action_space = tune_space(self.choices)

    def decode(self, action: Any) -> Policy:
        """The policy that an action stands for."""
        return decode_tune(self.choices, action)

    def encode(self, policy: str, values: dict[str, object] | None = None) -> dict[str, Any]:
        """The action for a policy by name, with values for some or all of its tunables.

        Raises:
            BadInput: There is no such policy or tunable, or a value is not allowed.
        """
        return encode_tune(self.choices, policy, values or {})
