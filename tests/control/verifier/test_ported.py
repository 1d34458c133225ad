"""Policies written the way sched_ext code in the wild is: they compile and load unchanged."""

import json
from pathlib import Path

import pytest

from schedcp_gym.lab.compiler import compile_policy

pytestmark = pytest.mark.guest

PORTED = sorted((Path(__file__).parent / "ported").glob("*.bpf.c"))
#: Processes that are forked, sleep, compute and are bound to a CPU, while the policy has to be in charge.
LOAD = """cat /sys/kernel/sched_ext/state /sys/kernel/sched_ext/root/ops
i=0; while [ $i -lt 20 ]; do (sleep 0.001; true) & i=$((i+1)); done; wait
for cpu in 0 1; do taskset -c $cpu sh -c 'i=0; while [ $i -lt 500 ]; do i=$((i+1)); done' & done; wait; echo done"""
RUN = "scx_run --report /result/report.json --object p.o -- sh load; cat /sys/kernel/sched_ext/state"


@pytest.mark.parametrize("path", PORTED, ids=lambda path: path.name.removesuffix(".bpf.c"))
def test_a_port_loads_unchanged_and_schedules(run_job, image, path):
    files = {"p.o": compile_policy(path.read_text(), image), "load": LOAD.encode()}
    result = run_job(RUN, files)
    report = json.loads(result.text("report.json"))
    assert report["outcome"] == "ok", report
    assert result.text("stdout").split() == ["enabled", path.name.removesuffix(".bpf.c"), "done", "disabled"]
    assert report["exit"]["kind"] == 64, report  # unregistered by the loader, not ejected


def test_there_are_ports_of_every_style():
    assert len(PORTED) >= 6
    text = "".join(path.read_text() for path in PORTED)
    for name in ("scx_bpf_dispatch(", "scx_bpf_consume(", "__COMPAT_", "BPF_MAP_TYPE_QUEUE", "bpf_timer", "__kptr"):
        assert name in text
