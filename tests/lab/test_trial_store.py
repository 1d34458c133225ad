"""The trial store: what goes in comes out, whatever happens meanwhile."""

import dataclasses
import shutil
import sqlite3
import subprocess
import sys
import threading

import pytest
from store_examples import MEASUREMENT, key_of, policy, put, trial

from schedcp_gym.lab.store import Config, Filter, TrialStore, columns, upkeep
from schedcp_gym.lab.store import store as store_module
from schedcp_gym.spec import Outcome


@pytest.fixture
def store(tmp_path):
    return TrialStore(tmp_path / "store")


def segments(store):
    return sorted(path.name for path in store.segments.iterdir())


def moved(store):
    upkeep.tidy(store)
    assert segments(store)
    return store


@pytest.fixture(params=["in the index", "in a segment"])
def settle(request):
    """Leaves a store as it is, or moves all into segments."""
    return (lambda store: store) if request.param == "in the index" else moved


def test_what_was_never_stored_is_none_without_a_word(store, caplog):
    assert store.read("ab" * 32) is None
    assert store.count() == 0
    assert store.find() == []
    assert caplog.text == ""


def test_a_measurement_comes_back_to_the_last_digit_and_marked_as_cached(store, settle):
    key, expected = put(store)
    settle(store)
    for one in (store, TrialStore(store.folder)):
        again = one.read(key)
        assert again == expected
        assert again.exact() == expected.exact()
        assert list(again.cpu_s_by_name) == list(expected.cpu_s_by_name)


def test_a_field_that_has_no_column_is_kept_all_the_same(store):
    key, _ = put(store)
    row = columns.row_of(key, 1.0, Config.of(trial()), {"trial": "t", "new_field": {"a": [1, None]}})
    columns.write_segment(store.folder / "x.parquet", [row])
    assert columns.fields_of(columns.read_row(store.folder / "x.parquet", 0))["new_field"] == {"a": [1, None]}


@pytest.mark.parametrize(
    "odd", [{"events": {"huge": 2**70}}, {"message": "\udcff"}, {"log": "x" * 20_000}, {"metrics": {}}]
)
def test_what_a_hostile_guest_may_give_is_kept_too(store, odd, settle):
    key, expected = put(store, measurement=dataclasses.replace(MEASUREMENT, **odd))
    other, other_expected = put(store, seed=1)
    settle(store)
    assert store.read(key) == expected
    assert store.read(other) == other_expected
    assert store.find(Filter(seed=0))[0].measurement == expected
    upkeep.tidy(store)
    assert store.read(key) == expected


def test_a_trial_can_be_made_again_from_what_is_kept(store, settle):
    one = trial(3, "ljf", "longtail", favour="ember")
    put(store, 3, name="ljf", on="longtail", favour="ember")
    settle(store)
    (entry,) = TrialStore(store.folder).find()
    again = entry.config.trial(store.source(entry.config.source), one.workload)
    assert again == one
    assert again.digest == one.digest == entry.measurement.trial


def test_entries_are_found_by_what_they_are(store, settle):
    for seed in range(3):
        put(store, seed)
    put(store, name="ljf", on="longtail", favour="ember")
    put(store, 9, name="eevdf", measurement=dataclasses.replace(MEASUREMENT, outcome=Outcome.TIMEOUT))
    settle(store)

    def found(**which):
        assert store.count(Filter(**which)) == len(store.find(Filter(**which)))
        return [(entry.config.policy, entry.config.seed) for entry in store.find(Filter(**which))]

    assert found() == [("eevdf", 9), ("ljf", 0), ("fifo", 2), ("fifo", 1), ("fifo", 0)]
    assert found(workload="long*") == [("ljf", 0)]
    assert found(policy="fifo", seed=1) == [("fifo", 1)]
    assert found(outcome="timeout") == [("eevdf", 9)]
    assert found(digest=trial(2).digest[:12].upper()) == [("fifo", 2)]
    assert found(digest=key_of(trial(2))[:12]) == [("fifo", 2)]
    assert len(store.find(limit=2)) == 2
    assert store.source("") == ""
    assert store.source("ab" * 32) is None


def test_many_are_read_segment_by_segment(store, monkeypatch):
    monkeypatch.setattr(store_module, "MANY", 2)
    expected = [put(store, seed)[1] for seed in range(5)]
    moved(store)
    assert [entry.measurement for entry in store.find()] == expected[::-1]


def test_a_second_measurement_takes_the_place_of_the_first(store, settle):
    put(store)
    settle(store)
    key, expected = put(store, measurement=dataclasses.replace(MEASUREMENT, message="newer"))
    assert store.read(key) == expected
    settle(store)
    assert store.read(key) == expected
    assert store.count() == 1


def test_rows_go_into_segments_by_themselves_when_there_are_many(store, monkeypatch):
    monkeypatch.setattr(columns, "SEGMENT_ROWS", 4)
    monkeypatch.setattr(store_module, "LOOSE_LIMIT", 8)
    expected = dict(put(store, seed) for seed in range(9))
    for thread in threading.enumerate():
        if thread.name == "store":
            thread.join()
    assert len(segments(store)) == 2
    assert {key: store.read(key) for key in expected} == expected


@pytest.mark.parametrize("damage", [b"", b"x" * 100, b"PAR1"])
def test_a_damaged_segment_is_said_and_its_trials_are_measured_again(store, caplog, damage):
    key, expected = put(store)
    moved(store)
    (path,) = store.segments.iterdir()
    path.write_bytes(damage)
    assert store.read(key) is None
    assert "it is made again" in caplog.text
    put(store)
    assert store.read(key) == expected
    upkeep.tidy(store)
    assert store.read(key) == expected


def test_a_flipped_bit_in_a_segment_is_seen(store, caplog):
    key, expected = put(store, measurement=dataclasses.replace(MEASUREMENT, log="q" * 5000))
    moved(store)
    (path,) = store.segments.iterdir()
    whole = path.read_bytes()
    wrong = 0
    for at in range(4, len(whole) - 4, max(1, len(whole) // 60)):
        path.write_bytes(whole[:at] + bytes([whole[at] ^ 4]) + whole[at + 1 :])
        found = store.read(key)
        wrong += found is not None and found != expected
    assert wrong == 0


@pytest.mark.parametrize("damage", [b"no database" * 1000, None])
def test_a_damaged_index_is_set_aside_and_made_again_from_the_segments(store, caplog, damage):
    key, expected = put(store)
    moved(store)
    put(store, 1)
    for path in store.folder.glob("index.sqlite*"):
        if damage is None:
            path.unlink()
        else:
            path.write_bytes(damage)
    assert store.read(key) == expected
    assert store.count() == 1
    if damage is not None:
        assert "damaged" in caplog.text
        assert list(store.folder.glob("index.sqlite.damaged-*"))
    later, expected_later = put(store, 2)
    upkeep.tidy(store)
    assert store.read(key) == expected
    assert store.read(later) == expected_later


def test_a_folder_deleted_under_a_store_is_begun_anew(store):
    key, expected = put(store)
    shutil.rmtree(store.folder)
    assert store.read(key) is None
    put(store)
    assert store.read(key) == expected


@pytest.mark.parametrize("moment", ["write_segment", "write", "unlink"])
def test_a_crash_while_rows_move_loses_nothing(store, monkeypatch, moment):
    expected = dict(put(store, seed) for seed in range(6))
    monkeypatch.setattr(columns, "SEGMENT_ROWS", 2)
    moved(store)
    expected |= dict(put(store, seed) for seed in range(6, 9))

    class PowerLossError(Exception):
        pass

    def dies(*_, **__):
        raise PowerLossError

    with monkeypatch.context() as context:
        if moment == "write_segment":
            context.setattr("pathlib.Path.rename", dies)
        elif moment == "write":
            context.setattr(store.index, "write", dies)
        else:
            context.setattr("pathlib.Path.unlink", dies)
        unwanted = [bytes.fromhex(next(iter(expected)))] if moment == "unlink" else []
        with pytest.raises(PowerLossError):
            upkeep.tidy(store, unwanted)
    store.segments.joinpath(".x.part").write_bytes(b"half")
    again = TrialStore(store.folder)
    assert {key: again.read(key) for key in expected} == expected or moment == "unlink"
    upkeep.tidy(again)
    assert [key for key in expected if again.read(key) != expected[key]] in ([], list(expected)[:1])
    assert not [name for name in segments(store) if not name.endswith(".parquet")]


def test_a_full_disk_is_said_and_the_measurement_is_not_lost_to_its_caller(store, caplog, monkeypatch):
    def full(change):
        raise sqlite3.OperationalError("database or disk is full")

    monkeypatch.setattr(store.index, "write", full)
    key, _ = put(store)
    assert "can't be stored: database or disk is full" in caplog.text
    assert store.read(key) is None


def test_tidy_deletes_forgets_sources_and_puts_small_segments_together(store):
    for seed in range(3):
        put(store, seed)
        moved(store)
    put(store, name="ljf", on="longtail")
    moved(store)
    assert len(segments(store)) == 1
    unwanted = upkeep.doomed(store, keep=2)
    assert [len(keys) for keys in unwanted.values()] == [0, 0, 2]
    upkeep.tidy(store, unwanted["size"])
    assert [(entry.config.policy, entry.config.seed) for entry in store.find()] == [("ljf", 0), ("fifo", 2)]
    upkeep.tidy(store, [bytes.fromhex(key_of(trial(2)))])
    assert store.source(Config.of(trial()).source) is None
    assert store.source(Config.of(trial(name="ljf", on="longtail")).source) == policy("ljf").source
    upkeep.tidy(store, [bytes.fromhex(entry.key) for entry in store.find()])
    assert segments(store) == []


def test_doomed_are_those_of_images_that_are_gone_and_those_that_are_old(store):
    put(store)
    put(store, 1, dataclasses.replace(MEASUREMENT, digests={"image": "other"}))
    made = store.find(Filter(seed=0))[0].made
    assert [len(keys) for keys in upkeep.doomed(store, images=["other"]).values()] == [1, 0, 0]
    assert [len(keys) for keys in upkeep.doomed(store, before=made + 0.001).values()] == [0, 1, 0]
    assert [len(keys) for keys in upkeep.doomed(store).values()] == [0, 0, 0]


WRITER = """
import sys
from pathlib import Path
sys.path.insert(0, {tests!r})
from store_examples import put
from schedcp_gym.lab.store import TrialStore, upkeep
store = TrialStore(Path({folder!r}))
for seed in range({first}, {first} + 25):
    print(*put(store, seed)[:1], flush=True)
    if seed % 10 == 0:
        upkeep.tidy(store)
"""


def test_several_processes_write_read_and_tidy_at_once(store, request):
    tests = str(request.path.parent)
    texts = [WRITER.format(tests=tests, folder=str(store.folder), first=first) for first in (0, 100, 200)]
    writers = [
        subprocess.Popen([sys.executable, "-c", text], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
        for text in texts
    ]
    seen = []
    for line in writers[0].stdout:
        seen.append(line.strip())
        assert store.read(seen[-1]) is not None
    for writer in writers:
        _, err = writer.communicate()
        assert writer.returncode == 0, err
        assert err == ""
    assert len(seen) == 25
    assert store.count() == 75
    assert len(store.find()) == 75
