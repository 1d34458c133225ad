"""Find CPUs that were chosen without a look at which CPUs the task may use."""

from schedcp_gym.control.verifier.source.flow import Flow, Frame
from schedcp_gym.control.verifier.source.model import Node

_LOOKS = {"cpus_ptr", "cpus_mask", "user_cpus_ptr", "nr_cpus_allowed", "migration_disabled"}
_LOOK_CALLS = {"bpf_cpumask_test_cpu", "bpf_cpumask_subset", "bpf_cpumask_intersects", "is_migration_disabled"}
_KTHREADS_ONLY = "is_cpu_kthread"
#: Nothing of these has to do with a task's CPUs.
_BLIND = {"const", "loop", "field pid", "field tgid", "call bpf_get_smp_processor_id", "call bpf_get_prandom_u32"}
_BLIND |= {"call scx_bpf_nr_cpu_ids", "call bpf_ktime_get_ns", "call __scx_now", "call scx_bpf_now"}


def looks_at_affinity(flow: Flow, callback: str) -> bool:
    """Return whether a callback or its helpers read the task's CPUs, or another callback may have kept them."""
    return any(_looks(flow, name) for name in (callback, "init_task", "enable", "set_cpumask") if name in flow.calls)


def _looks(flow: Flow, callback: str) -> bool:
    calls = flow.calls[callback]
    calls = [call for call in calls if call.name != _KTHREADS_ONLY and not call.frame.runs(_KTHREADS_ONLY)]
    functions = {call.frame.function.name: call.frame.function for call in calls}
    functions |= {call.name: flow.program.functions[call.name] for call in calls if call.name in flow.program.functions}
    if callback in flow.program.callbacks:
        functions[""] = flow.program.callbacks[callback]
    if any(call.name in _LOOK_CALLS for call in calls):
        return True
    return any(
        node.kind == "Member" and node.name in _LOOKS
        for function in functions.values()
        for node in function.body.walk()
    )


def is_blind(flow: Flow, node: Node, frame: Frame, also: tuple[str, ...] = ()) -> bool:
    """Return whether an expression certainly does not depend on the CPUs that the task may use."""
    return all(
        origin in _BLIND
        or origin in also
        or origin.startswith(("call __sync_", "call __atomic_"))
        or _own(flow, origin)
        for origin in flow.origins(node, frame)
    )


def _own(flow: Flow, origin: str) -> bool:
    """Return whether it is the policy's own number that is only counted or set to constants."""
    if not origin.startswith("global "):
        return False
    name = origin.removeprefix("global ")
    return not any(
        part.kind in ("Call", "Member", "Subscript")
        for given in flow.program.assigned_globals.get(name, ())
        for part in given.walk()
    )
