"""Compile a probe that is not trusted, run the workload, and write what the probe's tables hold. Guest side.

The probe can damage this guest only. Limits are in limits.json. An alarm ends this process if compiling or reading the
tables takes too long; the job's deadline ends everything else.
"""

import contextlib
import ctypes
import itertools
import json
import os
import resource
import signal
from collections.abc import Callable, Iterator
from typing import Any

import bcc
from bcc.libbcc import lib
from launch import launch
from quick_start import few_symbols

HERE = "/job/watch"
GROUP = "/sys/fs/cgroup/workload"
TRACE = "/sys/kernel/tracing/trace"
#: Types of maps with keys and values to show, by the kernel's numbers.
SHOWN = {1: "hash", 2: "array", 5: "percpu_hash", 6: "percpu_array", 9: "lru_hash", 10: "lru_percpu_hash"}

#: Attributes of BCC that hold attached functions, and the methods that detach them.
ATTACHED = {
    "kprobe_fds": "detach_kprobe_event",
    "uprobe_fds": "detach_uprobe_event",
    "tracepoint_fds": "detach_tracepoint",
    "raw_tracepoint_fds": "detach_raw_tracepoint",
    "kfunc_entry_fds": "detach_kfunc",
    "kfunc_exit_fds": "detach_kretfunc",
}

# BCC declares these functions only in part.
lib.bpf_table_name.restype = ctypes.c_char_p
for _name in ("name", "key_size_id", "leaf_size_id", "max_entries_id", "type_id"):
    getattr(lib, f"bpf_table_{_name}").argtypes = [ctypes.c_void_p, ctypes.c_size_t]
    if _name != "name":
        getattr(lib, f"bpf_table_{_name}").restype = ctypes.c_size_t

with open(f"{HERE}/limits.json") as file:
    LIMITS = json.load(file)


class Refused(Exception):
    """The probe exceeds a limit, so it is not run or not shown."""


def main() -> None:
    """Run everything. Whatever happens, there is a result that says which stage was reached."""
    found: dict[str, Any] = {}
    try:
        with deadline("compile", LIMITS["compile_s"]):
            bpf, start = prepare()
        note(stage="run")
        launch([], start)
        with deadline("read", LIMITS["read_s"]):
            found = {"printed": printed(), "tables": {}}
            detach(bpf)
            found["tables"] = {name: dump(bpf, number, name) for number, name in enumerate(table_names(bpf))}
            shorten(found["tables"])
    except Refused as error:
        found = {"refused": str(error)}
    except Exception as error:  # noqa: BLE001  BCC raises Exception itself
        found = {"error": str(error)}
    note(stage="done", **found)


def note(**what: object) -> None:
    """Write the result so far."""
    with open("/result/probe.json", "w") as file:
        json.dump(what, file)


@contextlib.contextmanager
def deadline(stage: str, limit_s: int) -> Iterator[None]:
    """End this process, even inside a library, if a stage takes too long."""
    note(stage=stage)
    signal.alarm(limit_s)
    yield
    signal.alarm(0)


def prepare() -> tuple[bcc.BPF, Callable[[int], None]]:
    """Compile, load and attach; return the program, and a function to call with the workload's first process."""
    with open(f"{HERE}/probe.c") as file:
        source = '#line 1 "probe.c"\n' + file.read()  # BCC puts lines of its own in front
    flags: list[str] = []
    start: Callable[[int], None] = do_nothing
    if "IN_WORKLOAD" in source:
        os.mkdir(GROUP)
        flags = [f"-DIN_WORKLOAD()=(bpf_get_current_cgroup_id()=={os.stat(GROUP).st_ino}ULL)"]
        start = put_into_group
    unlimited = resource.getrlimit(resource.RLIMIT_AS)
    resource.setrlimit(resource.RLIMIT_AS, (LIMITS["compile_mib"] << 20, unlimited[1]))
    with few_symbols(f"{HERE}/kallsyms"):
        bpf = bcc.BPF(text=source, cflags=flags)
    resource.setrlimit(resource.RLIMIT_AS, unlimited)
    names = table_names(bpf)
    if len(names) > LIMITS["tables"]:
        raise Refused(f"{len(names)} tables; {LIMITS['tables']} are allowed")
    size = sum(bytes_of(bpf, number) for number in range(lib.bpf_num_tables(bpf.module)))
    if size > LIMITS["tables_mib"] << 20:
        raise Refused(f"the tables need {size >> 20} MiB; {LIMITS['tables_mib']} are allowed")
    if not any(getattr(bpf, name) for name in ATTACHED):
        raise Refused(
            "it is attached to nothing: use TRACEPOINT_PROBE(category, event), RAW_TRACEPOINT_PROBE(event), "
            "KFUNC_PROBE(function, …) or int kprobe__<function>(struct pt_regs *ctx)"
        )
    return bpf, start


def detach(bpf: bcc.BPF) -> None:
    """Detach the probe, so that it counts nothing more. Its tables remain."""
    for name, method in ATTACHED.items():
        for key in list(getattr(bpf, name)):
            getattr(bpf, method)(key)


def do_nothing(_: int) -> None:
    """Do nothing, for a probe of the whole machine."""


def put_into_group(pid: int) -> None:
    """Put the workload into a control group, so that IN_WORKLOAD() recognises its tasks."""
    with open(f"{GROUP}/cgroup.procs", "w") as file:
        file.write(str(pid))


def table_names(bpf: bcc.BPF) -> list[str]:
    """Return the names of the probe's tables, in its order."""
    return [lib.bpf_table_name(bpf.module, number).decode() for number in range(lib.bpf_num_tables(bpf.module))]


def bytes_of(bpf: bcc.BPF, number: int) -> int:
    """Return the memory of a table."""
    entry = lib.bpf_table_key_size_id(bpf.module, number) + lib.bpf_table_leaf_size_id(bpf.module, number)
    return int(entry * lib.bpf_table_max_entries_id(bpf.module, number))


def dump(bpf: bcc.BPF, number: int, name: str) -> dict[str, Any]:
    """Return a table's entries that are not zero, up to a limit."""
    kind = lib.bpf_table_type_id(bpf.module, number)
    if kind not in SHOWN:
        return {"kind": "other", "rows": []}
    entries = itertools.islice(bpf[name].items(), LIMITS["entries"])
    rows = [[plain(key), plain(value)] for key, value in entries]
    if SHOWN[kind].startswith(("percpu", "lru_percpu")):
        rows = [[key, added(value)] for key, value in rows]
    rows = [row for row in rows if not is_zero(row[1])]
    return {"kind": SHOWN[kind], "rows": rows[: LIMITS["rows"]], "left": max(0, len(rows) - LIMITS["rows"])}


def shorten(tables: dict[str, Any]) -> None:
    """Remove rows until the result is within its limit."""
    while len(json.dumps(tables)) > LIMITS["result_bytes"]:
        for table in tables.values():
            half = len(table["rows"]) // 2
            table["left"] = table.get("left", 0) + len(table["rows"]) - half
            del table["rows"][half:]


def plain(value: Any) -> Any:
    """Return a value of C as a plain value for JSON."""
    if isinstance(value, list):
        return [plain(part) for part in value]
    if isinstance(value, bytes):
        return value.decode(errors="replace")
    if isinstance(value, ctypes.Array):
        if value._type_ is ctypes.c_char:
            return value.value.decode(errors="replace")
        return [plain(part) for part in itertools.islice(value, 64)]
    if isinstance(value, (ctypes.Structure, ctypes.Union)):
        fields = (field[0] for field in value._fields_)
        return {name: plain(getattr(value, name)) for name in fields if not name.startswith("__pad")}
    return value.value if hasattr(value, "value") else value


def added(values: list[Any]) -> Any:
    """Return the sum of a number's values on all CPUs; other values unchanged."""
    return sum(values) if all(isinstance(value, int) for value in values) else values


def is_zero(value: Any) -> bool:
    """Return whether a value is zero or empty."""
    if isinstance(value, dict):
        return all(is_zero(part) for part in value.values())
    if isinstance(value, list):
        return all(is_zero(part) for part in value)
    return not value


def printed() -> dict[str, Any]:
    """Return the first remaining lines of bpf_trace_printk(), and how many lines were written."""
    lines, written = [], 0
    with open(TRACE, errors="replace") as file:
        for line in itertools.islice(file, 4096):
            if line.startswith("#"):
                if "entries-written" in line:
                    written = int(line.split("/")[-1].split()[0])
                continue
            if line.strip():
                lines.append(line.strip()[:200])
            if len(lines) >= LIMITS["printed_lines"]:
                break
    return {"lines": lines, "written": written}


main()
