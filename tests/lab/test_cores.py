"""Cores of one's own."""

import os
import subprocess
import sys
import time

import pytest

from schedcp_gym.lab.cores import Disturbance, own_cores


@pytest.fixture(autouse=True)
def _own_cache(tmp_path, monkeypatch):
    monkeypatch.setenv("SCHEDCP_CACHE", str(tmp_path))


def test_this_thread_and_its_children_are_pinned_and_set_free_again():
    before = os.sched_getaffinity(0)
    with own_cores(1) as cores:
        assert os.sched_getaffinity(0) == set(cores.numbers)
        text = "import os; print(len(os.sched_getaffinity(0)))"
        assert subprocess.check_output([sys.executable, "-c", text], text=True) == "1\n"
    assert os.sched_getaffinity(0) == before


def test_two_get_different_cores_and_more_than_there_are_is_all():
    every = os.sched_getaffinity(0)
    if len(every) < 2:
        pytest.skip("one core only")
    with own_cores(1) as first:
        os.sched_setaffinity(0, every)
        with own_cores(1) as second:
            assert not set(first.numbers) & set(second.numbers)
    with own_cores(1000) as cores:
        assert set(cores.numbers) == every


def test_other_load_on_the_cores_is_seen_and_our_own_is_not():
    text = "import os, sys; os.sched_setaffinity(0, {int(sys.argv[1])}); print(flush=True)\nwhile True: pass"
    with own_cores(1) as cores:
        # Of another process, so that it does not count as ours: that of a child that has not ended.
        with subprocess.Popen([sys.executable, "-c", text, str(cores.numbers[0])], stdout=subprocess.PIPE) as hog:
            hog.stdout.readline()
            with cores.watched() as found:
                time.sleep(0.5)
            hog.kill()
        assert found.others > 0.3
        assert found.contaminates
    assert not Disturbance(0.0, 0.01, 5.0).contaminates
    assert Disturbance(0.02, 0.0, 0.0).contaminates
