"""Kernel modules that model a topology: equal turns for the CPUs, and the cost of cold caches."""

import dataclasses
from collections.abc import Mapping
from pathlib import Path

from schedcp_gym.machine.image import Image
from schedcp_gym.machine.job import Job
from schedcp_gym.machine.qemu import clock_shift
from schedcp_gym.spec import CacheModel, Caches, MachineSpec, Topology
from schedcp_gym.spec.digest import digest

RUN_SCRIPT = Path(__file__).with_name("guest") / "run-modelled.sh"
#: A job's file with what its workload declares of caches; made by ``declared``.
DECLARED = "cache_model.declared"
#: The result's file with what tasks were charged.
COSTS = "costs.tsv"
#: Instructions of the whole machine, for each CPU: a round, and the window at its start (guest/even_turns.c).
ROUND_INSTRUCTIONS, WINDOW_INSTRUCTIONS = 5000, 125
#: When in a round the CPUs' timers expire, in instructions; longer than a tick of the HPET.
PHASE_INSTRUCTIONS = 64
#: Processes that run the job, and are none of the workload's.
HARNESS = ("run", "run-itself", "scx_run")
#: The file in debugfs that ends what was counted before.
RESET = "/sys/kernel/debug/cache_model/reset"


def with_models(job: Job, spec: MachineSpec, image: Image) -> Job:
    """Return the job with the modules that its machine needs; a machine without a topology needs none."""
    if not spec.topology:
        return job
    files = dict(job.files)
    declared = files.pop(DECLARED, b"").decode()
    files |= {
        "run": RUN_SCRIPT.read_bytes(),
        "run-itself": job.files["run"],
        "even_turns.ko": image.extra("even_turns.ko"),
        "even_turns.parameters": _words(turn_parameters(spec)),
    }
    if spec.cache_model:
        parameters = _words(cost_parameters(spec.cache_model, spec.shape)).decode()
        files["cache_model.ko"] = image.extra("cache_model.ko")
        files["cache_model.parameters"] = f"{parameters} {declared}".strip().encode()
    return dataclasses.replace(job, files=files)


def models_digest(spec: MachineSpec, image: Image) -> str:
    """Return the SHA-256 (hex) of all that models a machine with a topology."""
    script = RUN_SCRIPT.read_text()
    return digest([image.extras_digest, script, turn_parameters(spec), spec.topology, spec.cache_model])


def turn_parameters(spec: MachineSpec) -> dict[str, int]:
    """Return the parameters of ``even_turns``: lengths in ns, and the APIC id of the CPU after the kernel's."""
    shape, shift = spec.shape, clock_shift(spec)
    # An APIC id has a field for each level, as wide as the level needs.
    below = (shape.cores - 1).bit_length() + (shape.threads - 1).bit_length()
    return {
        "round_ns": ROUND_INSTRUCTIONS * spec.cpus << shift,
        "window_ns": (WINDOW_INSTRUCTIONS * (spec.cpus + 1) << shift) // 10 * 10,
        "phase_ns": PHASE_INSTRUCTIONS << shift,
        "conductor": shape.nodes * shape.llcs << below,
    }


def cost_parameters(model: CacheModel, shape: Topology) -> dict[str, int]:
    """Return the parameters of ``cache_model`` that are the machine's."""
    return {
        **dataclasses.asdict(model),
        "threads": shape.threads,
        "cpus_per_llc": shape.cpus_per_llc,
        "cpus_per_node": shape.cpus_per_node,
    }


def declared(caches: Caches) -> bytes:
    """Return the parameters of ``cache_model`` that are the workload's."""
    lists = {
        "footprints": caches.footprint_kib,
        "streams": {name: round(rate * 1024) for name, rate in caches.stream_mib_per_s.items()},
        "shared": {name.replace(" ", ">"): kib for name, kib in caches.shared_kib.items()},
    }
    words = {
        name: ",".join(f"{key}={value}" for key, value in sorted(values.items()))
        for name, values in lists.items()
        if values
    }
    return _words(words)


def _words(values: Mapping[str, object]) -> bytes:
    return " ".join(f"{name}={value}" for name, value in values.items()).encode()


def read_costs(text: str) -> dict[str, dict[str, float]]:
    """Read what the module charged: by process name, seconds by cause and numbers of moves.

    Args:
        text: The file that the module writes: a line of column names, then one for each process name, tabs between.

    Returns:
        Process name → ``cold_l2_s``, ``cold_llc_s``, ``handoff_s``, ``smt_s``, ``remote_s``, ``switches``,
        ``core_moves``, ``llc_moves``, ``node_moves``. What is 0 is left out. Empty where the text is not such a file.
    """
    lines = [line.split("\t") for line in text.splitlines()]
    if not lines or lines[0][0] != "name":
        return {}
    found: dict[str, dict[str, float]] = {}
    lines = [line for line in lines if line[0] not in HARNESS]
    for line in lines[1:]:
        if len(line) != len(lines[0]) or not all(value.isdecimal() for value in line[1:]):
            return {}
        values = dict(zip(lines[0][1:], map(int, line[1:]), strict=True))
        found[line[0]] = {
            name.replace("_ns", "_s"): round(value / 1e9, 9) if name.endswith("_ns") else value
            for name, value in values.items()
            if value
        }
    return dict(sorted(found.items()))
