"""The trial store: what goes in comes out, whatever happens meanwhile."""

import dataclasses
import itertools
import json
import random
import shutil
import sqlite3
import subprocess
import sys
import threading
import time
import zlib
from pathlib import Path

import pytest
from store_examples import MEASUREMENT, key_of, policy, put, trial

from schedcp_gym.lab.store import Config, Filter, TrialStore
from schedcp_gym.lab.store.stored import plain
from schedcp_gym.spec import Outcome

#: Of version 1, with its process killed: rows in the index, in a segment, deleted, replaced, and of a hostile guest.
OLD_STORE = Path(__file__).with_name("old_store.zip")


@pytest.fixture
def store(tmp_path):
    return TrialStore(tmp_path / "store")


def damage_body(store, key):
    """Flips a bit of a stored measurement, as a bad disk does."""
    (body,) = store.database.rows("SELECT body FROM trials WHERE key = ?", key)[0]
    at = len(body) // 2
    wrong = body[:at] + bytes([body[at] ^ 4]) + body[at + 1 :]
    store.database.write(lambda on: on.execute("UPDATE trials SET body = ? WHERE key = ?", (wrong, key)))


def test_what_was_never_stored_is_none_without_a_word(store, caplog):
    assert store.read("ab" * 32) is None
    assert store.count() == 0
    assert store.find() == []
    assert caplog.text == ""


def test_a_measurement_comes_back_to_the_last_digit_and_marked_as_cached(store):
    key, expected = put(store)
    for one in (store, TrialStore(store.folder)):
        again = one.read(key)
        assert again == expected
        assert again.exact() == expected.exact()
        assert list(again.cpu_s_by_name) == list(expected.cpu_s_by_name)


@pytest.mark.parametrize(
    "odd", [{"events": {"huge": 2**70}}, {"message": "\udcff"}, {"log": "x" * 20_000}, {"metrics": {}}]
)
def test_what_a_hostile_guest_may_give_is_kept_too(store, odd):
    key, expected = put(store, measurement=dataclasses.replace(MEASUREMENT, **odd))
    other, other_expected = put(store, seed=1)
    assert store.read(key) == expected
    assert store.read(other) == other_expected
    assert store.find(Filter(seed=0))[0].measurement == expected


def test_a_trial_can_be_made_again_from_what_is_kept(store):
    one = trial(3, "ljf", "longtail", favour="ember")
    put(store, 3, name="ljf", on="longtail", favour="ember")
    (entry,) = TrialStore(store.folder).find()
    again = entry.config.trial(store.source(entry.config.source), one.workload)
    assert again == one
    assert again.digest == one.digest == entry.measurement.trial


def test_entries_are_found_by_what_they_are(store):
    for seed in range(3):
        put(store, seed)
    put(store, name="ljf", on="longtail", favour="ember")
    put(store, 9, name="eevdf", measurement=dataclasses.replace(MEASUREMENT, outcome=Outcome.TIMEOUT))

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


def test_a_second_measurement_takes_the_place_of_the_first(store):
    put(store)
    key, expected = put(store, measurement=dataclasses.replace(MEASUREMENT, message="newer"))
    assert store.read(key) == expected
    assert store.read(key) == expected
    assert store.count() == 1


def test_a_folder_deleted_under_a_store_is_begun_anew(store):
    key, expected = put(store)
    shutil.rmtree(store.folder)
    assert store.read(key) is None
    put(store)
    assert store.read(key) == expected


def test_a_full_disk_is_said_and_the_measurement_is_not_lost_to_its_caller(store, caplog, monkeypatch):
    def full(change):
        raise sqlite3.OperationalError("database or disk is full")

    monkeypatch.setattr(store.database, "write", full)
    key, _ = put(store)
    assert "can't be stored: database or disk is full" in caplog.text
    assert store.read(key) is None


WRITER = """
import sys
from pathlib import Path
sys.path.insert(0, {tests!r})
from store_examples import put
from schedcp_gym.lab.store import TrialStore
store = TrialStore(Path({folder!r}))
for seed in range({first}, {first} + {count}):
    print(put(store, seed)[0], flush=True)
    if {compacts} and seed % 10 == 0:
        store.compact([])
"""


def start_writer(store, request, first, count=25, *, compacts=True):
    tests = str(request.path.parent)
    text = WRITER.format(tests=tests, folder=str(store.folder), first=first, count=count, compacts=compacts)
    pipes = {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE}
    return subprocess.Popen([sys.executable, "-c", text], text=True, **pipes)


def test_several_processes_write_read_and_compact_at_once(store, request):
    writers = [start_writer(store, request, first) for first in (0, 100, 200)]
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


def test_writers_that_never_rest_take_turns(store):
    """Nobody waits long behind others: not even a writer that comes back at once is let in before one that waits."""
    put(store)
    turns = []

    def slow(name):
        turns.append(name)
        time.sleep(0.05)

    def write(name):
        while len(turns) < 40:
            store.database.write(lambda _: slow(name))

    writers = [threading.Thread(target=write, args=(name,)) for name in "ab"]
    for writer in writers:
        writer.start()
    for writer in writers:
        writer.join()
    both = turns[next(at for at, name in enumerate(turns) if name != turns[0]) :]
    assert max(len(list(run)) for _, run in itertools.groupby(both)) <= 5
    assert len(both) > 30


@pytest.mark.parametrize("compacts", [False, True])
def test_what_a_killed_process_had_stored_is_there(store, request, compacts):
    stored = []
    for attempt in range(4):
        with start_writer(store, request, 1000 * attempt, 1000, compacts=compacts) as writer:
            stored += [writer.stdout.readline().strip() for _ in range(15 + 3 * attempt)]
            writer.kill()
            stored += writer.stdout.read().split()
    again = TrialStore(store.folder)
    assert all(again.read(key) is not None for key in stored)
    assert len(again.find()) == again.count() >= len(stored) >= 78
    assert again.database.rows("PRAGMA integrity_check") == [("ok",)]


def test_a_damaged_row_is_said_and_its_trial_is_measured_again(store, caplog):
    key, expected = put(store)
    other, other_expected = put(store, 1)
    damage_body(store, key)
    assert store.read(key) is None
    assert "it is made again" in caplog.text
    assert [entry.key for entry in store.find()] == [other]
    put(store)
    assert store.read(key) == expected
    assert store.read(other) == other_expected


def test_a_row_in_the_place_of_another_is_seen(store, caplog):
    (key, _), (other, _) = put(store), put(store, 1)
    swap = "UPDATE trials SET body = (SELECT body FROM trials WHERE key = ?) WHERE key = ?"
    store.database.write(lambda connection: connection.execute(swap, (other, key)))
    assert store.read(key) is None
    assert "another's" in caplog.text


def test_a_damaged_source_is_not_given_out(store):
    put(store)
    sha256 = Config.of(trial()).source
    store.database.write(lambda on: on.execute("UPDATE sources SET text = ?", (zlib.compress(b"int x;"),)))
    assert store.source(sha256) is None


@pytest.fixture
def file_of_many(store):
    """The file of a store of many pages, and what it holds."""
    draw = random.Random(0)
    logs = ["".join(draw.choices("abcdefgh", k=5000)) for _ in range(40)]
    expected = dict(put(store, seed, dataclasses.replace(MEASUREMENT, log=log)) for seed, log in enumerate(logs))
    store.compact([])
    store.database.close()
    return store.database.path.read_bytes(), expected


def test_no_flipped_bit_of_the_file_gives_a_wrong_measurement(store, file_of_many):
    whole, expected = file_of_many
    kept = 0
    for at in random.Random(0).sample(range(len(whole)), 200):
        for path in store.folder.glob("trials.sqlite*"):
            path.unlink()
        store.database.path.write_bytes(whole[:at] + bytes([whole[at] ^ 4]) + whole[at + 1 :])
        damaged = TrialStore(store.folder)
        found = {key: damaged.read(key) for key in expected}
        assert all(found[key] in (None, expected[key]) for key in expected)
        kept += sum(found[key] is not None for key in expected)
        damaged.database.close()
    assert kept >= 0.9 * 200 * len(expected)


@pytest.mark.parametrize("damage", ["everything", "one page"])
def test_a_damaged_file_is_set_aside_and_what_can_be_read_of_it_is_kept(store, file_of_many, caplog, damage):
    whole, expected = file_of_many
    inner = len(whole) // 8192 * 4096  # where a page begins
    some = whole[:inner] + b"\xee" * 4096 + whole[inner + 4096 :]
    store.database.path.write_bytes(b"no database" * 1000 if damage == "everything" else some)
    found = [key for key in expected if store.read(key) == expected[key]]
    assert len(found) == store.count() or damage == "one page"
    assert len(found) == 0 if damage == "everything" else len(found) > 20
    assert "damaged" in caplog.text
    assert list(store.folder.glob("trials.sqlite.damaged-*"))
    later, expected_later = put(store, 99)
    assert TrialStore(store.folder).read(later) == expected_later
    store.compact([])
    assert not list(store.folder.glob("*.damaged-*"))
    assert store.read(later) == expected_later


def test_compact_deletes_forgets_sources_and_gives_back_space(store):
    for seed in range(300):
        put(store, seed)
    put(store, name="ljf", on="longtail")
    before = store.size_bytes()
    store.compact([key_of(trial(seed)) for seed in range(299)])
    assert store.size_bytes() < before / 4
    assert [(entry.config.policy, entry.config.seed) for entry in store.find()] == [("ljf", 0), ("fifo", 299)]
    store.compact([key_of(trial(299))])
    assert store.source(Config.of(trial()).source) is None
    assert store.source(Config.of(trial(name="ljf", on="longtail")).source) == policy("ljf").source


def test_unwanted_are_those_of_images_that_are_gone_those_that_are_old_and_the_oldest(store):
    def counts(**why):
        return {reason: len(keys) for reason, keys in store.unwanted(**why).items()}

    put(store)
    put(store, 1, dataclasses.replace(MEASUREMENT, digests={"image": "other"}))
    assert counts(images=["other"]) == {"image": 1, "age": 0, "size": 0}
    time.sleep(0.2)
    put(store, 2)
    assert counts(older_than_s=0.2) == {"image": 0, "age": 2, "size": 0}
    assert counts() == {"image": 0, "age": 0, "size": 0}
    for seed in range(3, 400):
        put(store, seed)
    store.compact([])
    limit = store.size_bytes() // 4
    store.compact(store.unwanted(max_bytes=limit)["size"])
    assert store.database.path.stat().st_size <= 1.2 * limit
    assert store.find()[0].config.seed == 399
    assert store.count() > 50


@pytest.fixture
def old(tmp_path):
    """A store of the old form, and what it holds."""
    shutil.unpack_archive(OLD_STORE, tmp_path / "v1")
    expected = json.loads((tmp_path / "v1" / "expected.json").read_text())
    for each in expected.values():
        each["measurement"]["caches"] = {}  # a field that came later
    return tmp_path / "v1", expected


def content(store):
    return {
        entry.key: {"made": entry.made, "config": vars(entry.config), "measurement": plain(entry.measurement)}
        for entry in store.find()
    }


def test_a_store_of_the_old_form_is_converted_once_and_said_in_one_line(tmp_path, old, caplog):
    folder, expected = old
    store = TrialStore(tmp_path / "new", old=folder)
    assert content(store) == expected
    assert [record.getMessage() for record in caplog.records] == [
        f"the old trial store {folder} was converted: {len(expected)} measurements, 0 could not be read"
    ]
    for entry in store.find():
        text = store.source(entry.config.source)
        assert Config.of(entry.config.trial(text, trial().workload)).source == entry.config.source
    caplog.clear()
    assert content(TrialStore(tmp_path / "new", old=folder)) == expected
    assert caplog.text == ""
    store.compact([])
    assert not folder.exists()
    assert content(TrialStore(tmp_path / "new", old=folder)) == expected


@pytest.mark.parametrize(("damaged", "left"), [("segments/*.parquet", 4), ("index.sqlite*", 0)])
def test_what_can_be_read_of_a_damaged_old_store_is_converted(tmp_path, old, caplog, damaged, left):
    folder, expected = old
    for path in folder.glob(damaged):
        path.write_bytes(b"x" * 100)
    found = content(TrialStore(tmp_path / "new", old=folder))
    assert len(found) == left
    assert found.items() <= expected.items()
    assert f"converted: {left} measurements" in caplog.text


def test_a_conversion_that_was_killed_is_done_again_as_a_whole(tmp_path, old, monkeypatch):
    folder, expected = old

    def dies(*_):
        raise KeyboardInterrupt

    with monkeypatch.context() as context:
        context.setattr("schedcp_gym.lab.store.old_store._fields", dies)
        with pytest.raises(KeyboardInterrupt):
            TrialStore(tmp_path / "new", old=folder).find()
    assert content(TrialStore(tmp_path / "new", old=folder)) == expected


def test_of_several_processes_one_converts_and_the_others_wait(tmp_path, old):
    folder, expected = old
    text = (
        "from pathlib import Path; from schedcp_gym.lab.store import TrialStore\n"
        f"print(TrialStore(Path({str(tmp_path / 'new')!r}), Path({str(folder)!r})).count())"
    )
    pipes = {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE}
    openers = [subprocess.Popen([sys.executable, "-c", text], text=True, **pipes) for _ in range(4)]
    said = [opener.communicate() for opener in openers]
    assert [out for out, _ in said] == [f"{len(expected)}\n"] * 4
    assert sum(err.count("was converted") for _, err in said) == 1
