"""Traces recorded from real runs (smoke scale, EEVDF, seed 0): what the tracer wrote, word for word."""

from pathlib import Path

import pytest

from schedcp_gym.control.analysis import trace as traces
from schedcp_gym.control.analysis.traced_run import TracedRun
from schedcp_gym.spec import Measurement, Outcome

DATA = Path(__file__).parent / "data"
METRICS = {
    "longtail": {"makespan_s": 2.685573896, "bound_s": 1.962701935},
    "schbench": {"p99_request_us": 12389.525},
}


@pytest.fixture
def trace_of():
    """A recorded trace by name: longtail, schbench, batch (12 mawk jobs), phases (load/phases.py)."""
    return lambda name: traces.read((DATA / f"{name}.json").read_text())


@pytest.fixture
def run_of(trace_of):
    """A recorded run: the trace, and the metrics of that run."""

    def run(name, trace=None):
        measurement = Measurement(trial="recorded", outcome=Outcome.OK, metrics=METRICS[name], job_s=3.0)
        return TracedRun(measurement, trace or trace_of(name))

    return run
