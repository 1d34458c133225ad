"""Lines of a record as the wrappers make them, for tests that need nothing but a record."""


def line(kind="evaluation", trial="t1", outcome="ok", reward=0.5, measurement=None, **more):
    """A measurement's line; ``measurement``: what in it is otherwise."""
    place = {} if kind == "heldout" else {"episode": 0, "step": 0 if kind == "baseline" else 1}
    return {
        "kind": kind,
        "workload": "w",
        "scale": "smoke",
        "workload_seed": 3,
        "policy": "fifo",
        "tunables": {},
        "source_sha256": "",
        "outcome": outcome,
        "message": "",
        **place,
        "reward": reward,
        "reward_parts": {},
        "measurement": {
            "trial": trial,
            "outcome": outcome,
            "metrics": {"makespan_s": 2.0},
            "events": {},
            "utilisation": 0.5,
            "cpu_s_by_name": {},
            "job_s": 2.5,
            "digests": {"image": "i1"},
            "message": "",
            "log": "",
            **(measurement or {}),
        },
        "host": {"timings_s": {"total": 4.2}},
        **more,
    }


def note(**fields):
    """A note's line."""
    return {"kind": "note", **fields}


def call(tool, data, **more):
    """A line of the audit log."""
    return {"kind": "call", "tool": tool, "arguments": {}, "is_error": False, "text": "", "data": data, **more}
