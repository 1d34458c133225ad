"""Of several who want the same trial at the same moment, one measures it."""

import subprocess
import sys
import threading
import time

import pytest

from schedcp_gym.lab.store import TrialStore

KEY, OTHER = "ab" * 32, "cd" * 32
HOLDER = """
import sys, time
from pathlib import Path
from schedcp_gym.lab.store import TrialStore
with TrialStore(Path({folder!r})).claimed({key!r}, lambda: True) as held:
    print(held, flush=True)
    time.sleep(600)
"""


@pytest.fixture
def store(tmp_path):
    return TrialStore(tmp_path / "store")


def at_once(store, key=KEY):
    """Asks for the right to measure a trial, and gives up if somebody has it."""
    return store.claimed(key, unless=lambda: True)


def test_a_claim_is_held_by_one_and_others_are_free(store):
    with at_once(store) as first:
        assert first
        with at_once(store) as second, at_once(store, OTHER) as other:
            assert not second
            assert other
        with at_once(store) as second:  # the end of one that was refused frees nothing
            assert not second
    with at_once(store) as second:
        assert second


def test_trials_that_share_a_lock_are_measured_one_after_the_other(store):
    with at_once(store) as first, at_once(store, KEY[:3] + OTHER[3:]) as second:
        assert first
        assert not second


def test_where_no_lock_can_be_made_a_trial_is_measured_all_the_same(tmp_path):
    (tmp_path / "store").write_text("a file")
    with at_once(TrialStore(tmp_path / "store")) as held:
        assert held


def test_who_waits_gets_it_when_it_is_given_back_or_gives_up(store):
    asked, free = [], threading.Event()

    def hold():
        with at_once(store) as held:
            asked.append(held)
            free.wait(60)

    holder = threading.Thread(target=hold)
    holder.start()
    while not asked:
        time.sleep(0.01)
    with store.claimed(KEY, unless=lambda: asked.append(1) or len(asked) > 3) as held:
        assert not held
    threading.Timer(0.1, free.set).start()
    with store.claimed(KEY, unless=lambda: False) as held:
        assert held
    holder.join()
    assert asked[0] is True


def test_the_claim_of_a_killed_process_is_free_at_once(store):
    text = HOLDER.format(folder=str(store.folder), key=KEY)
    with subprocess.Popen([sys.executable, "-c", text], stdout=subprocess.PIPE, text=True) as holder:
        assert holder.stdout.readline() == "True\n"
        with at_once(store) as held:
            assert not held
        holder.kill()
        holder.wait()
        began = time.monotonic()
        with store.claimed(KEY, lambda: time.monotonic() > began + 5) as held:
            assert held
            assert time.monotonic() < began + 1
