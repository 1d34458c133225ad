"""Several processes at one repository: nothing is lost, and a killed one leaves it readable."""

import contextlib
import os
import subprocess
import sys
from pathlib import Path

import pytest

from schedcp_gym.control.repository import PolicyRecord, ResultRecord, open_library
from schedcp_gym.control.repository.store import FRAGMENTS

HERE = Path(__file__).parent
EACH = 25


@contextlib.contextmanager
def writers(folder, *names, count=EACH):
    """Processes that have opened the repository, and wait for a line to begin."""
    environment = {**os.environ, "PYTHONPATH": str(HERE.parents[2])}
    started = [
        subprocess.Popen(
            [sys.executable, str(HERE / "writer.py"), str(folder), name, str(count)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            env=environment,
        )
        for name in names
    ]
    try:
        yield started
    finally:
        for process in started:
            process.kill()
            process.communicate()


def test_two_that_write_at_once_lose_nothing(tmp_path):
    # Both open a repository that is not there, too: it is made and filled once.
    with writers(tmp_path, "one", "two") as started:
        for process in started:
            assert process.stdout.readline() == "open\n"
        for process in started:
            process.stdin.write("begin\n")
            process.stdin.flush()
        for process in started:
            said, complaints = process.communicate()
            assert process.returncode == 0, complaints
            assert said.split() == [str(number) for number in range(EACH)]
    assert 4 * EACH > FRAGMENTS  # fragments were merged meanwhile
    repository = open_library(tmp_path)
    names = [record.name for record in repository.policies() if record.author != "library"]
    assert sorted(names) == sorted(f"{name}-{number}" for name in ("one", "two") for number in range(EACH))
    assert len(repository.results("fifo")) == 2 * EACH
    found = {
        name: [hit.record.name for hit in repository.search("queue", machine=f"virtual-{name}", outcome="ok")]
        for name in ("one", "two")
    }
    assert found == {"one": ["fifo"], "two": ["fifo"]}
    assert len({hit.record.name for hit in repository.search("zebra", limit=100)} & set(names)) == 2 * EACH


@pytest.mark.parametrize("after", [0, 1, 3, 8])
def test_killed_writer_leaves_what_it_has_said(tmp_path, after):
    with writers(tmp_path, "one", count=10_000) as [process]:
        assert process.stdout.readline() == "open\n"
        process.stdin.write("begin\n")
        process.stdin.flush()
        said = [int(process.stdout.readline()) for _ in range(after)]
        process.kill()  # SIGKILL, in the middle of the next write
        said += [int(line) for line in process.communicate()[0].split()]
    repository = open_library(tmp_path)
    names = {record.name for record in repository.policies()}
    assert {f"one-{number}" for number in said} <= names
    assert set(said) <= {result.seed for result in repository.results("fifo")}
    assert len(repository.search("first come, first served")) == 5
    # The lock died with its owner, and there is nothing in the way of the next writer.
    repository.add(PolicyRecord(name="next", source="int y;", card="okapi"))
    repository.record(ResultRecord(policy="next", workload="longtail", outcome="ejected"))
    assert repository.search("okapi", outcome="ejected")[0].record.name == "next"


def test_reader_sees_what_another_process_writes(tmp_path):
    repository = open_library(tmp_path)
    before = repository.search("zebra", limit=50)
    with writers(tmp_path, "one", count=3) as [process]:
        process.communicate("begin\n")
    after = {hit.record.name for hit in repository.search("zebra", limit=50)}
    assert after - {hit.record.name for hit in before} >= {"one-0", "one-1", "one-2"}


@pytest.mark.parametrize("missing", ["store.json", "lance/results.lance/_versions"])
def test_maker_killed_half_way_is_made_up_for(tmp_path, missing):
    """What a process killed while it makes the tables leaves: no note of them yet, or a table without versions."""
    for table in ("entries", "results"):
        (tmp_path / "lance" / f"{table}.lance" / "data").mkdir(parents=True)
    assert not (tmp_path / missing).exists()
    repository = open_library(tmp_path)
    assert repository.get("fifo").card
    repository.record(ResultRecord(policy="fifo", workload="longtail", outcome="ejected"))
    assert len(repository.results()) == 1
