"""Values kept by content, a file each."""

import dataclasses
import json
import threading

import pytest

from schedcp_gym.lab.json_store import JsonStore
from schedcp_gym.paths import cache_root
from schedcp_gym.spec import Measurement, Outcome

KEY = "ab" * 32
MEASUREMENTS = JsonStore(Measurement, lambda: cache_root() / "things", version=1)
MEASUREMENT = Measurement(
    trial="t" * 64,
    outcome=Outcome.OK,
    metrics={"p99_request_us": 2938.2730000000001, "tiny": 5e-324, "third": 1 / 3},
    events={"SCX_EV": 2**60 + 1},
    utilisation=0.987654,
    cpu_s_by_name={"ümlaut": 1.5},
    timings_s={"total": 3.2},
    job_s=1.234567891,
    digests={"image": "i"},
    message="m",
    log="line\nline\t\u2028 \x00",
)


@pytest.fixture(autouse=True)
def _own_cache(tmp_path, monkeypatch):
    monkeypatch.setenv("SCHEDCP_CACHE", str(tmp_path))


def test_what_was_never_stored_is_none_without_a_word(caplog):
    assert MEASUREMENTS.read(KEY) is None
    assert caplog.text == ""


def test_a_measurement_comes_back_to_the_last_digit_and_marked_as_cached():
    MEASUREMENTS.write(KEY, MEASUREMENT)
    again = MEASUREMENTS.read(KEY)
    assert again == dataclasses.replace(MEASUREMENT, cached=True)
    assert again.exact() == MEASUREMENT.exact()


@pytest.mark.parametrize(
    "content",
    [
        "",
        "{",
        "[]",
        "null",
        "{}",
        '{"format": 1}',
        '{"format": 0, "measurement": {"trial": "t", "outcome": "ok"}}',
        '{"format": 1, "measurement": {"trial": "t", "outcome": "splendid"}}',
        '{"format": 1, "measurement": []}',
        "\udcff",
    ],
)
def test_a_damaged_or_foreign_entry_is_measured_again_and_said(tmp_path, caplog, content):
    MEASUREMENTS.write(KEY, MEASUREMENT)
    (path,) = tmp_path.rglob("*.json")
    path.write_text(content, errors="surrogateescape")
    assert MEASUREMENTS.read(KEY) is None
    assert "it is made again" in caplog.text
    assert path.name in caplog.text
    MEASUREMENTS.write(KEY, MEASUREMENT)
    assert MEASUREMENTS.read(KEY) is not None


def test_half_written_files_are_not_left_and_not_read(tmp_path):
    MEASUREMENTS.write(KEY, MEASUREMENT)
    assert [path.name for path in tmp_path.rglob("*") if path.is_file()] == [f"{KEY}.json"]


def test_a_reader_beside_writers_sees_a_whole_entry_every_time(caplog):
    MEASUREMENTS.write(KEY, MEASUREMENT)
    stop = threading.Event()

    def write():
        while not stop.is_set():
            MEASUREMENTS.write(KEY, MEASUREMENT)

    writers = [threading.Thread(target=write) for _ in range(2)]
    for writer in writers:
        writer.start()
    try:
        assert all(MEASUREMENTS.read(KEY) is not None for _ in range(300))
    finally:
        stop.set()
        for writer in writers:
            writer.join()
    assert caplog.text == ""


def test_an_entry_is_readable_as_plain_json(tmp_path):
    MEASUREMENTS.write(KEY, MEASUREMENT)
    (path,) = tmp_path.rglob("*.json")
    assert json.loads(path.read_text())["measurement"]["metrics"] == MEASUREMENT.metrics
