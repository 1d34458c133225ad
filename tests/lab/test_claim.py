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
claim = TrialStore(Path({folder!r})).claim({key!r})
print(claim.take(), flush=True)
time.sleep(600)
"""


@pytest.fixture
def store(tmp_path):
    return TrialStore(tmp_path / "store")


def test_a_claim_is_held_by_one_and_others_are_free(store):
    with store.claim(KEY) as first, store.claim(KEY) as second, store.claim(OTHER) as other:
        assert first.take()
        assert first.take()
        assert not second.take()
        assert other.take()
        first.release()
        assert second.take()


def test_trials_that_share_a_lock_are_measured_one_after_the_other(store):
    with store.claim(KEY) as first, store.claim(KEY[:3] + OTHER[3:]) as second:
        assert first.take()
        assert not second.take()
        first.release()
        assert second.take()


def test_where_no_lock_can_be_made_a_trial_is_measured_all_the_same(tmp_path):
    (tmp_path / "store").write_text("a file")
    with TrialStore(tmp_path / "store").claim(KEY) as claim:
        assert claim.take()


def test_who_waits_gets_it_when_it_is_given_back_or_gives_up(store):
    holder = store.claim(KEY)
    assert holder.take()
    asked = []
    with store.claim(KEY) as waiter:
        assert not waiter.wait(lambda: asked.append(1) or len(asked) > 2)
        threading.Timer(0.1, holder.release).start()
        assert waiter.wait(lambda: False)


def test_the_claim_of_a_killed_process_is_free_at_once(store):
    text = HOLDER.format(folder=str(store.folder), key=KEY)
    with subprocess.Popen([sys.executable, "-c", text], stdout=subprocess.PIPE, text=True) as holder:
        assert holder.stdout.readline() == "True\n"
        with store.claim(KEY) as claim:
            assert not claim.take()
            holder.kill()
            holder.wait()
            began = time.monotonic()
            assert claim.wait(lambda: time.monotonic() > began + 5)
            assert time.monotonic() < began + 1
