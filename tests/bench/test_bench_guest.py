"""The commands ``bench`` and ``compare-clocks`` from end to end."""

import json
import os
import signal
import subprocess
import sys
import time

import pytest
from conftest import is_gone, qemus

pytestmark = [pytest.mark.guest, pytest.mark.usefixtures("image", "spotless")]

COMMAND = [sys.executable, "-m", "schedcp_gym.cli"]


def run(*words, status=0):
    done = subprocess.run([*COMMAND, *words], capture_output=True, text=True, timeout=300)
    assert done.returncode == status, done.stdout + done.stderr
    assert "Traceback" not in done.stderr
    return done


def new_seed():
    """A workload seed that nobody has measured yet."""
    return str(time.time_ns() % 2**31)


def test_a_suite_is_measured_once_and_told_as_it_comes():
    words = ["bench", "fifo", "-w", "longtail", "--seed", new_seed(), "--set", "slice_us=4000"]
    first = run(*words, "--json")
    assert sorted(line.split(" on ")[0] for line in first.stderr.splitlines()) == ["eevdf", "fifo"]
    plain = json.loads(first.stdout)
    (row,) = plain["results"]
    assert (row["workload"], row["outcome"], row["config.policy"], row["config.slice_us"]) == (
        "longtail",
        "ok",
        "fifo",
        4000,
    )
    assert row["result.value"] == row["result.makespan_s"] > row["result.bound_s"]
    assert row["result.cached"] is False
    again = json.loads(run(*words, "--json").stdout)["results"][0]
    assert again == row | {"result.cached": True}
    table = run(*words).stdout
    assert f"{100 * row['result.possible']:.1f} %" in table
    assert f"{row['result.ratio']:.2f}x" in table


def test_a_policy_that_fails_is_said_with_its_reason_and_status_1(tmp_path):
    own = tmp_path / "mine.bpf.c"
    own.write_text("#include <scx/common.bpf.h>\nint x = ;\n")
    done = run("bench", str(own), "-w", "longtail", status=1)
    assert "mine on longtail, seed 0: rejected: compile: policy.bpf.c:2:9: error:" in done.stdout
    assert "0 of 1 ok, geometric mean 0.05x of EEVDF" in done.stdout


def test_after_ctrl_c_the_same_command_goes_on_where_it_was():
    words = ["bench", "fifo", "vtime", "-w", "longtail", "--seed", new_seed(), "--workers", "1"]
    with subprocess.Popen(
        [*COMMAND, *words], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, start_new_session=True
    ) as command:
        try:
            first = command.stderr.readline()
            below = qemus(command.pid)
            os.killpg(command.pid, signal.SIGINT)
            out, err = command.communicate(timeout=60)
        finally:
            command.kill()
    assert command.returncode == 130, err
    assert out == ""
    assert first.startswith("eevdf on longtail")
    assert "1 of 3 measured; run the same command to continue" in err
    assert all(is_gone(pid) for pid in below)
    assert run(*words).stderr.splitlines()[0] == first.partition(" (")[0].strip() + " (from the cache)"


def test_two_clocks_are_compared_with_the_repeats_used():
    words = ["compare-clocks", "longtail", "--policy", "fifo", "--repeats", "1", "--json"]
    found = json.loads(run(*words).stdout)
    assert (found["workload"], found["repeats"]) == ("longtail", 1)
    assert found["real_accelerator"] in ("kvm", "mttcg")
    assert {place["policy"] for place in found["places"]} == {"eevdf", "fifo"}
    assert found["agreement"]["spearman"] is None or abs(found["agreement"]["spearman"]) == pytest.approx(1)
    eevdf = next(place for place in found["places"] if place["policy"] == "eevdf")
    assert (eevdf["virtual"], eevdf["real"]) == (0, 0)
