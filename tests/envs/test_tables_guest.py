"""Tables recorded on the real kernel."""

import dataclasses

import gymnasium as gym
import numpy as np
import pytest
from gymnasium.utils.env_checker import check_env
from typer.testing import CliRunner

import schedcp_gym.envs  # noqa: F401  registers them
from schedcp_gym.cli import app
from schedcp_gym.envs.registration import register_all
from schedcp_gym.envs.tables import read_table, write_table
from schedcp_gym.envs.tables.record import Recorder, Recording
from schedcp_gym.lab import Lab, catalogue
from schedcp_gym.lab.store import TrialStore
from schedcp_gym.paths import table_path

pytestmark = pytest.mark.guest

#: The quickest there is. Twenty-three points are the least: each policy's defaults, and each with a name set.
WORKLOAD, POINTS, SEED = "schbench-4x2", 23, 3


@pytest.fixture
def folder(tmp_path, monkeypatch, image):
    """A store and tables of our own."""
    monkeypatch.setattr(Lab, "store", TrialStore(tmp_path / "store"))
    monkeypatch.setenv("SCHEDCP_TABLES", str(tmp_path / "tables"))
    return tmp_path


def command(*words, status=0):
    done = CliRunner().invoke(app, ["table", *words])
    assert done.exit_code == status, (done.output, done.exception)
    return done.output


def test_what_was_measured_before_an_interruption_is_not_measured_again(folder):
    def recorder():
        recording = Recording(catalogue.load_workload(WORKLOAD), seeds=(SEED,), points=POINTS, actions=2)
        return Recorder(recording, Lab(workers=2))

    seen = []

    def interrupt(measured):
        seen.append(measured)
        if len(seen) == 5:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        recorder().record(lambda _: None, interrupt)
    kept = Lab.store.count()
    assert 5 <= kept < POINTS
    told, totals = [], []
    table = recorder().record(totals.append, told.append)
    assert totals == [len(told)] == [POINTS + 2]
    assert sum(measured.cached for measured in told) == kept
    write_table(table_path(WORKLOAD), table)

    said = command("record", WORKLOAD, "--points", str(POINTS), "--seed", str(SEED), "--actions", "2")
    assert "23 measurements of 19 policies, smoke scale, virtual clock, 2 CPUs, workload seed 3" in said
    assert "fidelity, at 2 random actions that are not in the table: rank correlation" in said
    assert read_table(WORKLOAD) == dataclasses.replace(table, rows=read_table(WORKLOAD).rows)
    assert [row.measurement.exact() for row in read_table(WORKLOAD).rows] == [
        row.measurement.exact() for row in table.rows
    ]
    _is_an_environment()
    assert "2 equal, 0 different, 0 not run again" in command("check", WORKLOAD, "--sample", "2")
    _a_wrong_figure_is_found()


def _is_an_environment():
    register_all()
    env = gym.make("SchedCP/Schbench4x2-Table-v0").unwrapped
    check_env(env)
    env.reset(seed=1)
    assert env.step(np.full(env.action_space.shape, -1.0))[1] == 0.0


def _a_wrong_figure_is_found():
    table = read_table(WORKLOAD)
    measured = table.rows[0].measurement
    wrong = dataclasses.replace(measured, metrics=measured.metrics | {"p99_request_us": 1.0})
    row = dataclasses.replace(table.rows[0], measurement=wrong)
    write_table(table_path(WORKLOAD), dataclasses.replace(table, rows=(row,)))
    said = command("check", WORKLOAD, status=1)
    assert "0 equal, 1 different" in said
    assert "p99_request_us" in said
