"""The trial store with 100,000 trials: a lookup takes at most 10 ms, and the file has at most 500 MB."""

import dataclasses
import hashlib
import random
import time

import pytest
from store_examples import policy

from schedcp_gym.envs.tables.file import read_table
from schedcp_gym.lab.store import Config, Stored, TrialStore
from schedcp_gym.lab.store.store import put
from schedcp_gym.paths import table_files
from schedcp_gym.spec import source_sha256

pytestmark = pytest.mark.nightly

TRIALS, BATCH, LOOKUPS = 100_000, 1000, 1000
CONFIG = Config("fifo", "", {"slice_us": 4000}, "schbench", "smoke", 0, {"clock": "virtual", "cpus": 2})


def sha256(text):
    return hashlib.sha256(text.encode()).hexdigest()


def varied(measurement, number, draw):
    """A measurement like a real one, with other figures."""

    def shaken(values):
        return {name: value * (1 + draw.random() / 10) for name, value in values.items()}

    return dataclasses.replace(
        measurement,
        trial=sha256(str(number)),
        metrics=shaken(measurement.metrics),
        timings_s={"restore": draw.random(), "job": draw.random(), "total": draw.random()},
        events={name: count + draw.randrange(1000) for name, count in measurement.events.items()},
        cpu_s_by_name={name: round(value + draw.random(), 2) for name, value in measurement.cpu_s_by_name.items()},
        log=measurement.log.replace("0", str(draw.random())),
    )


def fill(store, draw):
    """One trial in ten has a source of its own."""
    real = [row.measurement for name in table_files() for row in read_table(name).rows]
    source = ""
    for first in range(0, TRIALS, BATCH):
        batch = []
        for number in range(first, first + BATCH):
            if number % 10 == 0:
                source = f"{policy().source}\n/* {draw.random()} */\n"
            own = dataclasses.replace(CONFIG, seed=number, source=source_sha256(source), tunables={"slice_us": number})
            batch.append(
                (Stored(sha256(f"key {number}"), number, own, varied(draw.choice(real), number, draw)), source)
            )
        store.database.write(lambda connection, batch=batch: [put(connection, *one) for one in batch])


def lookup_ms(store, number):
    """Host time of a lookup, elapsed and on the CPU: other processes of the host can only stretch the first."""
    began, began_cpu = time.perf_counter(), time.thread_time()
    assert store.read(sha256(f"key {number}")).trial == sha256(str(number))
    return 1000 * (time.perf_counter() - began), 1000 * (time.thread_time() - began_cpu)


def test_100000_trials_are_small_and_quickly_found(tmp_path):
    draw, store = random.Random(0), TrialStore(tmp_path / "store")
    fill(store, draw)
    assert store.count() == TRIALS
    found = [lookup_ms(store, number) for number in draw.sample(range(TRIALS), LOOKUPS)]
    elapsed, on_cpu = (sorted(times) for times in zip(*found, strict=True))
    _, first = lookup_ms(TrialStore(store.folder), 7)
    size_mb = store.size_bytes() / 1e6
    print(f"{size_mb:.0f} MB; a lookup takes {elapsed[LOOKUPS // 2]:.2f} ms (median), 99 of 100 {elapsed[-10]:.2f} ms")
    print(f"on the CPU: 99 of 100 {on_cpu[-10]:.2f} ms; the first of a store that was just opened {first:.2f} ms")
    assert elapsed[LOOKUPS // 2] <= 10
    assert on_cpu[-10] <= 10
    assert first <= 10
    assert size_mb <= 500
