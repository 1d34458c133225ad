"""The environments of kind Tune."""

from typing import Any

from schedcp_gym.envs.base import SchedEnv
from schedcp_gym.envs.choice import decode_tune, encode_tune, load_choices, tune_space
from schedcp_gym.spec import Policy


class TuneEnv(SchedEnv):
    """Choose a scheduling policy from the catalogue and set its tunables.

    ## Description
    A real Linux kernel in a virtual machine runs a workload under the chosen policy. The task is to do better than the
    kernel's own scheduler, EEVDF. Each step measures one policy on a freshly restored machine, so steps do not
    influence each other. On the virtual clock, results are exact: the same seed and actions give the same numbers on
    any host.

    ## Action Space
    `Dict("policy": Discrete(n), "tunables": Dict(policy's name: Dict(tunable's name: space)))`

    `policy` is an index into `env.unwrapped.choices`: 0 is `eevdf`, the kernel's own scheduler; the catalogue's
    policies follow in order of name. Only the tunables of the chosen policy count. Tunables that are left out keep
    their defaults. The space of a tunable depends on its type:

    | type | space | meaning |
    |---|---|---|
    | number | Box(low, high, (), int64) | in the unit that the tunable's name ends with |
    | bool | Discrete(2) | 0 is false, 1 is true |
    | text | Text(0 to 15 characters) | the beginning of a process name or cgroup name; empty for none |

    `env.unwrapped.encode("fifo", {"slice_us": 3000})` makes an action from names. Samples of the space are uniform. To
    draw from the logarithmic scale that some tunables declare (`tunable.log`), use `schedcp_gym.envs.choice.value_at`.

    ## Observation Space
    A `Dict` about the last measurement (EEVDF's after `reset`). All numbers but `outcome` are float32, and all are
    finite:

    | key | space | meaning |
    |---|---|---|
    | metrics | Box(-3, 3, (metrics,)) | log improvement ratio of each metric, in order of name; after a failure -3 |
    | events | Box(0, 44, (events,)) | log1p of sched_ext's counters (`schedcp_gym.envs.observation.EVENTS`) |
    | utilisation | Box(0, 1, (1,)) | busy share of the CPUs' time |
    | cpu_shares | Box(0, 1, (8,)) | shares of CPU time of the 8 process names with most, the largest first |
    | outcome | Discrete(7) | index of the outcome in `schedcp_gym.spec.Outcome` |
    | best_reward | Box(-3, 3, (1,)) | best reward of the episode so far, at least 0 (EEVDF's) |
    | steps_left | Box(0, 1, (1,)) | remaining share of the episode's steps |

    ## Rewards
    The weighted mean of the objective's metrics, each as the log of its improvement ratio over EEVDF, within [-3, 3]:
    0 is EEVDF, 0.69 is twice as good. Every outcome other than `ok` (rejected, ejected, timeout, guest_crash,
    workload_error) has the reward -3. A malformed action has the outcome `rejected`.

    ## Starting State
    `reset` draws a workload seed below 2**30 from the environment's generator and measures EEVDF with it.
    `reset(options={"workload_seed": n})` sets the workload seed to n. A workload seed sets process names, sizes and
    orders, but not the amount of work.

    ## Episode End
    An episode never terminates. It is truncated after `max_steps` steps.

    ## Information
    Values that JSON can hold: `policy`, `tunables`, `source_sha256`, `outcome`, `message` (why the outcome is not ok),
    `reward_parts` (log improvement ratio of each metric), `measurement` and `baseline` (both without host timings),
    `processes` (CPU seconds by process name under EEVDF, the largest first), `budget_spent` (in a run), `workload`,
    `scale`, `workload_seed`, `step`.

    ## Arguments
    ```python
    gymnasium.make(
        "SchedCP/Schbench-Tune-v0",
        scale="smoke",  # or standard, full
        cpus=2,
        clock="virtual",  # or real
        kernel="debian",
        max_steps=12,
        objective={"weights": {"p99_wakeup_us": 1}},  # default: the workload's own
        lab=Lab(...),  # default: one lab for all environments of the process
        render_mode="ansi",  # or human, None
    )
    ```
    :class:`~schedcp_gym.envs.base.SchedEnv` describes them.

    ## Version History
    * v0: first version.
    """

    def __init__(self, workload: str, **options: Any) -> None:
        """Set up the environment; see :class:`~schedcp_gym.envs.base.SchedEnv`."""
        super().__init__(workload, **options)
        self.choices = load_choices()
        self.action_space = tune_space(self.choices)

    def decode(self, action: Any) -> Policy:
        """Return the policy that an action stands for.

        Raises:
            BadInput: The action is malformed.
        """
        return decode_tune(self.choices, action)

    def encode(self, policy: str, values: dict[str, object] | None = None) -> dict[str, Any]:
        """Return the action for a policy's name, with values for some or all of its tunables.

        Raises:
            BadInput: There is no such policy or tunable, or a value is not allowed.

        Example:
            >>> env.unwrapped.encode("fifo", {"slice_us": 3000})
        """
        return encode_tune(self.choices, policy, values or {})
