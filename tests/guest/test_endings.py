"""However a run ends: an outcome, nothing left behind, and the next run as exact as the first."""

import dataclasses
import os
import signal
import threading

import pytest
from conftest import job, qemus, repeatable, wait_until

from schedcp_gym.lab import catalogue
from schedcp_gym.lab.trial_job import to_measurement
from schedcp_gym.machine import Ending, Machine
from schedcp_gym.spec import EEVDF, MachineSpec, Outcome, Policy, SchedcpError, Trial

pytestmark = [pytest.mark.guest, pytest.mark.usefixtures("spotless", "exact_afterwards")]

PROBE = "head -c 100 /dev/urandom; date +%N; cat /proc/interrupts"
FOREVER = "while :; do :; done"


@pytest.fixture(scope="module")
def probe(machine):
    return repeatable(machine.run(job(PROBE)))


@pytest.fixture
def exact_afterwards(machine, probe, spotless):
    yield
    assert repeatable(machine.run(job(PROBE))) == probe


@pytest.fixture
def in_background(image):
    """Runs a job on a machine of its own in a thread; gives machine, thread and a place for the result."""
    started = []

    def run(script, **spec):
        own, found = Machine(MachineSpec(**spec), image), []
        thread = threading.Thread(target=lambda: found.append(own.run(job(script))))
        started.append((own, thread))
        thread.start()
        return own, thread, found

    yield run
    for own, thread in started:
        own.stop()
        thread.join(60)


def outcome_of(result):
    return to_measurement(Trial(Policy(EEVDF), catalogue.load_workload("longtail")), result, {}).outcome


def test_an_exit_status_and_all_files_come_out(run_job):
    result = run_job("echo hi; echo no >&2; mkdir -p $RESULT/a/b; printf '\\377' > $RESULT/a/b/c; exit 7")
    assert (result.ending, result.code) == (Ending.EXITED, 7)
    assert result.files == {"stdout": b"hi\n", "stderr": b"no\n", "a/b/c": b"\xff"}
    assert 0 < result.job_s < 1
    assert set(result.timings_s) == {"restore", "job", "total"}


def test_the_job_sees_its_files_and_nothing_of_the_last_run(run_job):
    script = "cat data/x; ls /job /result /tmp; touch /tmp/left /job/left; echo $HOME $RESULT; id -u; pwd"
    first = run_job(script, {"data/x": b"content\n"})
    second = run_job(script, {"data/x": b"content\n"})
    assert first.text("stdout").split()[0] == "content"
    assert "left" not in second.text("stdout")
    assert first.files == second.files


def test_a_program_that_can_not_be_run_is_said(run_job):
    result = run_job("#!/no/such/interpreter\n")
    assert (result.ending, result.code) == (Ending.EXITED, 127)
    assert "exec /job/run" in result.text("stderr")


def test_a_signal_is_told_from_an_exit(run_job):
    result = run_job("kill -SEGV $$")
    assert (result.ending, result.code) == (Ending.SIGNALLED, signal.SIGSEGV)


def test_an_endless_job_meets_its_deadline_in_guest_time(run_job):
    result = run_job(f"echo begun; {FOREVER}", max_job_s=0.5)
    assert result.ending is Ending.DEADLINE
    assert 0.5 <= result.job_s < 0.52
    assert result.text("stdout") == "begun\n"
    assert outcome_of(result) is Outcome.TIMEOUT


@pytest.mark.parametrize("priority", [50, 99])
def test_real_time_hogs_on_both_cpus_meet_the_deadline_too(run_job, image, priority):
    hog = f"for cpu in 0 1; do taskset -c $cpu chrt -f {priority} sh -c '{FOREVER}' & done; wait"
    result = run_job(hog, max_job_s=0.5, on=Machine(MachineSpec(max_host_s=20), image))
    assert result.ending is Ending.DEADLINE
    assert result.job_s < 0.6


@pytest.mark.parametrize(("key", "how"), [("c", "panic"), ("b", "reset"), ("o", "power off")])
def test_a_kernel_that_panics_resets_or_powers_off_is_a_crash(run_job, key, how):
    result = run_job(f"echo {key} > /proc/sysrq-trigger; sleep 10")
    assert result.ending is Ending.CRASHED, how
    assert "panicked" in result.message
    assert "reset" in result.message
    assert outcome_of(result) is Outcome.GUEST_CRASH
    if how == "panic":
        assert "sysrq triggered crash" in result.console


def test_memory_running_out_is_a_crash_that_says_so(run_job):
    # Most of it is set aside, to be quick; the rest is taken in one system call, so that nothing thrashes.
    take = "import mmap; mmap.mmap(-1, 400 << 20, flags=mmap.MAP_PRIVATE | mmap.MAP_ANONYMOUS | mmap.MAP_POPULATE)"
    result = run_job(f"echo 350 > /proc/sys/vm/nr_hugepages; exec python3 -c '{take}'")
    assert (result.ending, result.code, result.oom_kills) == (Ending.SIGNALLED, signal.SIGKILL, 1)
    assert result.pages_scanned > 0
    assert outcome_of(result) is Outcome.GUEST_CRASH


def test_a_job_with_memory_to_spare_makes_the_kernel_scan_no_pages(run_job):
    result = run_job("exec python3 -c 'import json; bytearray(100 << 20)'")
    assert (result.code, result.pages_scanned) == (0, 0)


def test_a_result_that_fills_its_place_comes_out_whole(run_job):
    result = run_job("fallocate -l 40M $RESULT/large; printf end | dd of=$RESULT/large bs=1 seek=41943040 status=none")
    assert len(result.files["large"]) == (40 << 20) + 3
    assert result.files["large"].endswith(b"\0end")


def test_a_result_that_is_too_large_is_the_guests_failure(run_job):
    result = run_job("truncate -s 100M $RESULT/large")
    assert result.ending is Ending.GUEST_FAILED
    assert "tar" in result.message
    assert outcome_of(result) is Outcome.GUEST_CRASH


def test_a_job_that_kills_everything_ends_all_the_same(run_job):
    result = run_job("kill -9 -1; kill -9 1; sleep 0.01; echo alive")
    assert (result.ending, result.text("stdout")) == (Ending.EXITED, "alive\n")


def test_processes_left_behind_do_not_outlive_the_job(run_job):
    result = run_job("(trap '' TERM HUP INT; setsid sleep 100000) & exit 0")
    assert result.ending is Ending.EXITED
    assert result.job_s < 1


def test_a_guest_that_stops_its_clock_meets_the_limit_of_host_time(run_job, image):
    brief = Machine(MachineSpec(max_host_s=3), image)
    result = run_job("insmod /usr/lib/schedcp/stop_here.ko; sleep 10", on=brief)
    assert result.ending is Ending.HOST_DEADLINE
    assert result.message == "not over after 3 s of host time"
    assert 3 <= result.timings_s["total"] < 10
    assert outcome_of(result) is Outcome.TIMEOUT


def test_a_job_too_long_for_the_host_is_ended_there(run_job, image):
    result = run_job(FOREVER, max_job_s=1000, on=Machine(MachineSpec(max_host_s=2), image))
    assert result.ending is Ending.HOST_DEADLINE
    assert result.job_s is None


def test_a_qemu_that_is_killed_is_a_fault_of_the_host(in_background):
    _, thread, found = in_background(FOREVER)
    (pid,) = wait_until(qemus)
    os.kill(pid, signal.SIGKILL)
    thread.join(60)
    assert found[0].ending is Ending.KILLED
    assert found[0].message
    assert outcome_of(found[0]) is Outcome.INFRA_FAULT


def test_a_qemu_killed_in_the_middle_of_its_job_is_one_too(in_background):
    own, thread, found = in_background(FOREVER)
    wait_until(lambda: own._running)
    (pid,) = qemus()
    os.kill(pid, signal.SIGKILL)
    thread.join(60)
    assert found[0].ending is Ending.KILLED
    assert outcome_of(found[0]) is Outcome.INFRA_FAULT


def test_a_stop_ends_a_run_and_refuses_the_next(in_background):
    own, thread, found = in_background(FOREVER)
    wait_until(lambda: own._running)
    own.stop()
    thread.join(60)
    assert found[0].ending is Ending.KILLED
    assert own.run(job("true")).ending is Ending.KILLED


def test_a_stop_ends_a_run_that_is_only_just_starting(in_background):
    own, thread, found = in_background("true")
    wait_until(qemus)
    own.stop()
    thread.join(60)
    assert found[0].ending is Ending.KILLED


def test_a_stop_ends_a_run_that_is_still_making_its_snapshot(in_background, tmp_path, monkeypatch):
    with monkeypatch.context() as patched:
        patched.setenv("SCHEDCP_CACHE", str(tmp_path / "cache"))
        own, thread, found = in_background("true")
        wait_until(qemus)
        own.stop()
        thread.join(120)
    assert found[0].ending is Ending.KILLED
    assert [path for path in (tmp_path / "cache" / "snapshots").iterdir() if path.suffix == ".part"] == []


def test_a_guest_that_can_not_boot_is_an_error_with_its_console(image, tmp_path, monkeypatch):
    for name in ("vmlinux", "root.erofs"):
        (tmp_path / name).symlink_to(image.folder / name)
    (tmp_path / "initrd.cpio").write_bytes(b"no archive")
    broken = Machine(MachineSpec(), dataclasses.replace(image, folder=tmp_path, digest="0" * 64))
    with monkeypatch.context() as patched:
        patched.setenv("SCHEDCP_CACHE", str(tmp_path))
        with pytest.raises(SchedcpError) as error:
            broken.run(job("true"))
    assert "the guest does not come up" in str(error.value)
    assert "Kernel panic" in str(error.value)
    assert [path for path in (tmp_path / "snapshots").iterdir() if path.suffix != ".lock"] == []
