"""The batch driver on the host: plan, start, checks, clean-up, figures. What it measures there is noise."""

import json
import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest
from conftest import descendants, is_gone, wait_until

from schedcp_gym.paths import SHARED

sys.path.insert(0, str(SHARED))
import batch

#: A workload whose jobs all run the given shell script, with the part's amount as argument.
RUN = """import batch
def prepare(parts):
    for part in parts:
        open(part.path(".in"), "w").write("x" * part.amount)
def job(part):
    return batch.Job(["sh", "-c", {script!r}, "sh", str(part.amount)], inputs=[part.path(".in")])
batch.main(prepare, job)
"""
SIZE = {"jobs": 6, "ratio": 10, "amount": 100}


@pytest.fixture
def folder(tmp_path):
    path = tmp_path / "batch"
    path.mkdir()
    return path


@pytest.fixture
def own(spotless, folder):
    """A folder for a batch in a test that must leave nothing."""
    yield folder
    assert list(folder.iterdir()) == []


def start(tmp_path, script, *options, **more):
    path = tmp_path / "run.py"
    path.write_text(RUN.format(script=script))
    command = [sys.executable, path, *(f"--{name}={value}" for name, value in SIZE.items()), *options]
    environment = {**os.environ, "PYTHONPATH": str(SHARED), "PYTHONDONTWRITEBYTECODE": "1"}
    return subprocess.Popen(
        command, env=environment, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, cwd=tmp_path, **more
    )


def parts(seed, folder, **more):
    return batch.plan(seed, **{**SIZE, **more}, folder=str(folder))


def run(place, arguments, **more):
    return batch.run(parts(1, place), lambda part: batch.Job(arguments, **more))


def test_a_plan_follows_from_the_seed():
    once, again = ([(part.name, part.amount, part.seed) for part in batch.plan(7, 40, 39, 1000, "")] for _ in range(2))
    assert once == again


def test_no_name_begins_another_and_each_fits_a_comm():
    for seed in range(30):
        names = [part.name for part in batch.plan(seed, 96, 10, 100, "")]
        assert all(len(name) <= 15 for name in names)
        words = [name.split("-")[0] for name in names]
        assert not any(a != b and b.startswith(a) for a in words for b in words)
        assert len(set(words)) == len(words)


def test_a_seed_changes_names_order_and_place_but_no_amount():
    plans = [batch.plan(seed, 40, 39, 1000, "") for seed in range(30)]
    names = [part.name for plan in plans for part in plan]
    assert len(set(names)) > len(names) * 0.99
    amounts = [[part.amount for part in plan] for plan in plans]
    assert {tuple(sorted(amount)) for amount in amounts} == {tuple(sorted(amounts[0]))}
    assert len({tuple(amount) for amount in amounts}) == len(plans)
    assert len({amount.index(max(amount)) for amount in amounts}) > 10
    assert len({next(part.name for part in plan if part.amount == 39000) for plan in plans}) == len(plans)


def test_the_amounts_are_as_asked_for():
    amounts = sorted(part.amount for part in batch.plan(3, 40, 39, 1000, ""))
    assert amounts[-1] == 39 * 1000
    assert (amounts[0], amounts[-2]) == (750, 1250)
    assert sum(amounts[:-1]) == pytest.approx(39 * 1000, rel=0.001)


def test_a_job_has_its_name_before_and_after_the_start(own, monkeypatch):
    waiting = []
    collect = batch._release_and_collect

    def spy(processes, release):
        waiting.extend(Path(f"/proc/{process.pid}/comm").read_text().strip() for process in processes)
        return collect(processes, release)

    monkeypatch.setattr(batch, "_release_and_collect", spy)
    said = []
    processes, _ = run(own, ["cat", "/proc/self/comm"], check=lambda content: said.append(content) or True)
    names = [process.part.name for process in processes]
    assert waiting == names
    assert [content.decode().strip() for content in said] == names


def test_the_program_sees_its_own_name_as_argument_zero(own):
    run(own, ["cat", "/proc/self/cmdline"], check=lambda content: content == b"cat\0/proc/self/cmdline\0")


def test_a_job_reads_and_writes_what_it_is_told_to(own, tmp_path):
    source, target, inner = tmp_path / "in", tmp_path / "out", tmp_path / "inner"
    inner.mkdir()
    source.write_bytes(b"some text")

    def job(part):
        output = f"{target}-{part.name}"
        command = ["sh", "-c", f"cat > {output}; pwd | grep -q inner"]
        check = b"some text".__eq__
        return batch.Job(command, stdin=str(source), output=output, folder=str(inner), check=check)

    batch.run(parts(1, own), job)


@pytest.mark.parametrize(
    ("arguments", "more", "fault"),
    [
        (["false"], {}, r"\(false\) failed: exit status 1"),
        (["sh", "-c", "kill -9 $$"], {}, "failed: killed by signal 9"),
        (["true"], {}, r"\(true\) gave an empty output"),
        (["echo", "no"], {"check": lambda content: content == b"yes\n"}, r"gave a wrong output: b'no\\n'"),
        (["echo"], {"output": "/nowhere/at/all"}, "left no /nowhere/at/all"),
        (["no-such-program"], {}, "there is no program 'no-such-program'"),
        (["echo"], {"folder": "/nowhere"}, "could not be started"),
        (["echo"], {"stdin": "/nowhere"}, "could not be started"),
    ],
)
def test_a_job_that_is_not_right_is_an_error(own, arguments, more, fault):
    with pytest.raises(batch.Error, match=fault) as caught:
        run(own, arguments, **more)
    assert str(caught.value).startswith(tuple(part.name for part in parts(1, own)))


def test_one_bad_job_ends_those_that_would_run_for_ever(own):
    bad = parts(1, own)[3].name
    with pytest.raises(batch.Error, match=f"^{bad} "):
        batch.run(parts(1, own), lambda part: batch.Job(["false"] if part.name == bad else ["sleep", "1000"]))


def test_an_error_is_a_line_and_an_exit_status_and_no_metric(tmp_path, folder):
    driver = start(tmp_path, "exit 3", f"--folder={folder}")
    out, err = driver.communicate()
    assert (driver.returncode, out) == (1, "")
    assert err.splitlines()[-1].startswith("batch: ")
    assert err.endswith("failed: exit status 3\n")


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT, signal.SIGHUP])
def test_a_signal_to_the_driver_ends_the_jobs(own, tmp_path, number):
    driver = start(tmp_path, "sleep 1000; echo", f"--folder={own}")
    names = {part.name for part in parts(1, own)}
    jobs = wait_until(lambda: _running(driver.pid, names))
    driver.send_signal(number)
    driver.communicate()
    assert driver.returncode == 128 + number
    wait_until(
        lambda: all(is_gone(pid) for pid in jobs), 10
    )  # killed, but the jobs' children are not the driver's to await


def _running(driver, names):
    """The jobs' process ids once all have begun to sleep; with shells between, twice as many processes."""
    found = descendants(driver)
    return list(found) if sum(name == "sleep" for name in found.values()) == len(names) else []


def test_the_plan_tells_names_sizes_and_commands(tmp_path, folder):
    (folder.parent / "batch").rmdir()
    options = (f"--folder={folder}", "--seed=5")
    assert start(tmp_path, "echo $1", *options, "--setup").wait() == 0
    text, _ = start(tmp_path, "echo $1", *options, "--plan").communicate()
    head, *lines = text.splitlines()
    assert head.split() == ["name", "amount", "input_bytes", "command"]
    expected = [f"{part.name} {part.amount} {part.amount} sh -c echo $1 sh {part.amount}" for part in parts(5, folder)]
    assert [" ".join(line.split()) for line in lines] == expected
    assert "long" not in text


def test_a_whole_batch_gives_every_metric(tmp_path, folder):
    driver = start(
        tmp_path, "i=0; while [ $i -lt ${1}00 ]; do i=$((i+1)); done; echo", f"--folder={folder}", "--cpus=2"
    )
    out, _ = driver.communicate()
    metrics = json.loads(out)
    assert 0 < metrics["bound_s"] <= metrics["makespan_s"]
    assert metrics["worst_short_completion_s"] <= metrics["makespan_s"]
    assert metrics["mean_completion_s"] <= metrics["makespan_s"]
    assert metrics["jobs_per_s"] == pytest.approx(6 / metrics["makespan_s"])


def test_figures_of_a_known_batch():
    processes = [batch.Process(part, batch.Job(["true"])) for part in parts(1, "", jobs=3)]
    for process, cpu_s, completion_s in zip(processes, (1.0, 8.0, 2.0), (2.0, 10.0, 8.0), strict=True):
        process.cpu_s, process.completion_s = cpu_s, completion_s
    assert batch.figures(processes, 10.0, 2) == pytest.approx(
        {
            "makespan_s": 10.0,
            "bound_s": 8.0,
            "mean_completion_s": 20 / 3,
            "worst_short_completion_s": 8.0,
            "jobs_per_s": 0.3,
            "mean_slowdown": (2 + 1.25 + 4) / 3,
            "fairness": 0.75**2 / (2 * (0.25 + 0.0625)),
        }
    )
    assert batch.figures(processes, 10.0, 1)["bound_s"] == 11.0


@pytest.mark.parametrize("jobs", [1, 97])
def test_a_batch_that_can_not_be_is_refused(jobs):
    with pytest.raises(batch.Error, match="--jobs must be from 2 to 96"):
        batch.plan(1, jobs, 10, 100, "")
