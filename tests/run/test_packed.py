"""Runs in one Parquet file: the same to the last byte when they are read back, and nothing can be read in two ways."""

import json
import math
import random
import struct

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from schedcp_gym.run import packed
from schedcp_gym.run.packed import read_packed, write_packed
from tests.record_lines import line, note

PLAIN = {"config.yaml": b"run: {agent: x}\n", "summary.json": b"{}"}


def lines(*entries):
    return "".join(json.dumps(one) + "\n" for one in entries).encode()


def test_files_are_the_same_to_the_last_byte(tmp_path):
    odd = b'{"kind":"baseline","reward":1.50}\n{"kind": "note", "reward": 7, "x": "\\u00e4", "policy": null}\n'
    runs = {
        "a_s1": {**PLAIN, "record.jsonl": lines(line(), note(reward="x", workload_seed=2**70), line("heldout"))},
        "a_s2": {**PLAIN, "record.jsonl": odd, "llm/ledger.jsonl": b"", "best.json": b'{"a": "\xc3\xa4\r\n"}'},
    }
    write_packed(runs, tmp_path / "runs.parquet")
    assert read_packed(tmp_path / "runs.parquet") == runs


def test_every_number_is_the_same_to_the_last_bit(tmp_path):
    draw = random.Random(1)
    numbers = [struct.unpack(">d", draw.randbytes(8))[0] for _ in range(2000)]
    numbers = [each for each in numbers if math.isfinite(each)] + [0.0, -0.0, 5e-324, 1.7976931348623157e308, 0.1 + 0.2]
    metrics = {str(place): number for place, number in enumerate(numbers)}
    record = lines(*(line(reward=each, measurement={"metrics": metrics, "job_s": each}) for each in numbers[-5:]))
    write_packed({"a": {"record.jsonl": record}}, tmp_path / "runs.parquet")
    assert read_packed(tmp_path / "runs.parquet")["a"]["record.jsonl"] == record


def test_measurements_have_columns(tmp_path):
    record = lines(line(reward=0.25, measurement={"caches": {"l3": 1}}), note(iteration=1))
    write_packed({"a": {**PLAIN, "record.jsonl": record}}, tmp_path / "runs.parquet")
    rows = pq.read_table(tmp_path / "runs.parquet").to_pylist()
    (row,) = [one for one in rows if one["kind"] == "evaluation"]
    assert (row["run"], row["file"], row["line"]) == ("a", "record.jsonl", 1)
    assert (row["policy"], row["reward"], row["metrics"]) == ("fifo", 0.25, [("makespan_s", 2.0)])
    rest = json.loads(row["rest"])
    assert (rest["reward"], rest["measurement"]["metrics"]) == (None, None)  # no value is there twice
    assert rest["measurement"]["caches"] == {"l3": 1}


def test_a_line_that_was_cut_off_is_left_out(tmp_path):
    write_packed({"a": {"record.jsonl": lines(line()) + b'{"kind": "eval'}}, tmp_path / "runs.parquet")
    assert read_packed(tmp_path / "runs.parquet") == {"a": {"record.jsonl": lines(line())}}


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"rest": '{"reward": 0.5}'}, "reward occurs twice"),
        ({"rest": '{"kind": null}'}, "reward occurs twice, or has no place"),
        ({"rest": '{"reward": null, "reward": null}'}, "duplicate key 'reward'"),
        ({"rest": '{"reward": null, "x": NaN}'}, "NaN is not a finite number"),
        ({"rest": None}, "not in its place"),
        ({"rest": "[1]"}, "has no place"),
        ({"reward": math.nan}, "not a finite number"),
        ({"reward": math.inf}, "not a finite number"),
        ({"metrics": [("a", 1.0), ("a", 2.0)]}, "metrics has a duplicate key"),
        ({"line": 2}, "line 2 is not in its place"),
        ({"line": None}, "not in its place"),
        ({"run": "../a"}, "the name of a run or file is not allowed"),
        ({"run": "a/b"}, "the name of a run or file is not allowed"),
        ({"run": None}, "the name of a run or file is not allowed"),
        ({"file": "/etc/passwd"}, "the name of a run or file is not allowed"),
        ({"file": ".hidden"}, "the name of a run or file is not allowed"),
        ({"file": "llm/../../x"}, "the name of a run or file is not allowed"),
    ],
)
def test_what_can_be_read_in_two_ways_or_leads_out_is_refused(tmp_path, change, words):
    row = {"run": "a", "file": "record.jsonl", "line": 1, "reward": 0.5, "rest": '{"reward": null}', **change}
    pq.write_table(pa.Table.from_pylist([row], packed._schema()), tmp_path / "runs.parquet")
    with pytest.raises(ValueError, match=words):
        read_packed(tmp_path / "runs.parquet")


def test_a_file_that_is_there_twice_is_refused(tmp_path):
    row = {"run": "a", "file": "best.json", "line": 0, "rest": "{}"}
    pq.write_table(pa.Table.from_pylist([row, row], packed._schema()), tmp_path / "runs.parquet")
    with pytest.raises(ValueError, match="not in its place"):
        read_packed(tmp_path / "runs.parquet")


def test_another_table_is_refused(tmp_path):
    pq.write_table(pa.table({"run": ["a"]}), tmp_path / "runs.parquet")
    with pytest.raises(ValueError, match="its columns are not those"):
        read_packed(tmp_path / "runs.parquet")
    (tmp_path / "runs.parquet").write_text("PAR1")
    with pytest.raises(ValueError, match="not a Parquet file"):
        read_packed(tmp_path / "runs.parquet")


def test_a_small_file_that_stands_for_a_large_one_is_refused(tmp_path, monkeypatch):
    texts = pa.array(["x" * 100_000] * 5000).dictionary_encode()
    table = pa.Table.from_pylist(
        [{"run": "a", "file": "note.jsonl", "line": n} for n in range(1, 5001)], packed._schema()
    )
    table = table.set_column(table.num_columns - 1, "rest", texts.cast(pa.string()))
    pq.write_table(table, tmp_path / "runs.parquet", compression="zstd")
    assert (tmp_path / "runs.parquet").stat().st_size < 100_000
    monkeypatch.setattr(packed, "MOST_BYTES", 2**22)
    with pytest.raises(ValueError, match="its files have more than 4,194,304 bytes"):
        read_packed(tmp_path / "runs.parquet")
    monkeypatch.setattr(packed, "MOST_ROWS", 100)
    with pytest.raises(ValueError, match="more than 100 rows"):
        read_packed(tmp_path / "runs.parquet")
