"""Compile the probes, attach them, run the workload, and write the histograms. Guest side.

Only the run itself is part of the workload's time.
"""

import ctypes
import json
import os
import time

import bcc
from launch import launch
from quick_start import few_symbols, link_kernel_headers

HERE = "/job/watch"
LAUNCHER = 0xFFFFFFFF


def main() -> None:
    """Run everything."""
    with open(f"{HERE}/program.json") as file:
        program = json.load(file)
    link_kernel_headers(f"{HERE}/kernel")
    os.environ["BCC_KERNEL_SOURCE"] = f"{HERE}/kernel"
    began = time.monotonic()
    with few_symbols(f"{HERE}/kallsyms"), open(f"{HERE}/program.c") as file:
        bpf = bcc.BPF(text=file.read())
    for tracepoint in program["tracepoints"]:
        bpf.load_func(f"on_{tracepoint}", bcc.BPF.RAW_TRACEPOINT)
    compiled = time.monotonic()

    def start(pid: int) -> None:
        tasks = bpf["tasks"]
        tasks[ctypes.c_int(pid)] = tasks.Leaf(name=LAUNCHER)
        for tracepoint in program["tracepoints"]:
            bpf.attach_raw_tracepoint(tracepoint, f"on_{tracepoint}")

    launch([], start)
    ended = time.monotonic()
    for tracepoint in program["tracepoints"]:
        bpf.detach_raw_tracepoint(tracepoint)
    names = {1: "(timer)", 2: "(other)"}
    names |= {number.value: key.text.decode(errors="replace") for number, key in bpf["name_of_id"].items()}
    histograms = {probe: read(bpf[probe], names) for probe in program["probes"]}
    with open("/result/histograms.json", "w") as file:
        json.dump(
            {
                "histograms": histograms,
                "names": bpf["names_used"][0].value,
                "timings_s": {
                    "compile": round(compiled - began, 6),
                    "run": round(ended - compiled, 6),
                    "read": round(time.monotonic() - ended, 6),
                },
            },
            file,
        )


def read(table: "bcc.table.Array", names: dict[int, str]) -> dict[str, dict[str, object]]:
    """Return a probe's histograms that are not empty, by name."""
    found = {}
    for number, name in sorted(names.items()):
        histogram = table[ctypes.c_int(number)]
        slots = list(histogram.slots)
        if any(slots):
            found[name] = {"slots": slots, "total": histogram.total_us, "max": histogram.max_us}
    return found


main()
