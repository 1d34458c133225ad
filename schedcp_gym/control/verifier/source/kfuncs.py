"""The kernel's functions for schedulers, under all names that the policies' headers give them."""

#: Puts a task into a queue: {name: argument that names the queue}.
INSERT = dict.fromkeys(
    (
        *("__scx_dsq_insert", "__scx_dsq_insert_by_vtime", "scx_bpf_dsq_insert", "scx_bpf_dsq_insert_vtime"),
        *("scx_bpf_dispatch___old", "scx_bpf_dispatch_vtime___old", "scx_bpf_dispatch", "scx_bpf_dispatch_vtime"),
        "scx_bpf_dsq_insert___v2___new",
    ),
    1,
)
#: Takes the first task that may run here from a queue: {name: argument that names the queue}.
MOVE_TO_LOCAL = dict.fromkeys(
    (
        *("__scx_dsq_move_to_local", "scx_bpf_dsq_move_to_local", "scx_bpf_dsq_move_to_local___v2___new"),
        *("scx_bpf_consume", "scx_bpf_consume___old"),
    ),
    0,
)
#: Walks along a queue: {name: argument that names it}.
ITERATE = {"bpf_iter_scx_dsq_new": 1}
#: Moves a task met on such a walk: {name: argument that names where to}.
MOVE = dict.fromkeys(
    (
        *("__scx_dsq_move", "__scx_dsq_move_by_vtime", "scx_bpf_dsq_move", "scx_bpf_dsq_move_vtime"),
        *("scx_bpf_dispatch_from_dsq___old", "scx_bpf_dispatch_vtime_from_dsq___old"),
    ),
    2,
)
PEEK = {"__scx_dsq_peek": 0, "scx_bpf_dsq_peek": 0}
CREATE = {"scx_bpf_create_dsq": 0}
SET_SLICE = ("__scx_task_set_slice", "scx_bpf_task_set_slice")
#: Wrappers that are not looked into: the call is the thing itself.
PRIMITIVES = frozenset(
    (
        *INSERT,
        *MOVE_TO_LOCAL,
        *MOVE,
        *PEEK,
        *SET_SLICE,
        *("__scx_task_set_dsq_vtime", "__scx_select_cpu_and", "__scx_now"),
        *("__scx_dsq_move_set_slice", "__scx_dsq_move_set_vtime"),
    )
)

#: The slice's argument of each of INSERT.
SLICE_ARGUMENT = 2

LOCAL, LOCAL_ON, BUILT_IN = 0x8000000000000002, 0xC000000000000000, 1 << 63
SLICE_INFINITE = (1 << 64) - 1
