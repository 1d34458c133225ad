"""What is refused before anything in an entry is read."""

import json
import os
import shutil

import pytest

from schedcp_gym.leaderboard import intake
from schedcp_gym.leaderboard.check import audit
from schedcp_gym.leaderboard.manifest import MANIFEST
from schedcp_gym.run.packed import read_packed, write_packed

RUN = "runs/one"
FORMAT = {"format": 2, "files": {}, "submitted": {}}


@pytest.fixture
def entry(tmp_path):
    """An entry's files that are none yet, but plain."""
    folder = tmp_path / "entry"
    folder.mkdir()
    (folder / MANIFEST).write_text(json.dumps(FORMAT))
    pack(folder, {"config.yaml": b"run: {agent: eevdf}\n", "record.jsonl": b'{"kind": "note"}\n'})
    assert intake.look_over(folder) == []
    return folder


def pack(entry, files, name="runs.parquet"):
    write_packed({"one": files}, entry / name)


def told(entry):
    return [str(one) for one in audit(entry)[0]]


def test_links_and_pipes_are_refused_before_they_are_opened(entry, tmp_path):
    shutil.move(entry / "runs.parquet", tmp_path / "outside")
    (entry / "runs.parquet").symlink_to(tmp_path / "outside")
    (entry / "agent").symlink_to(tmp_path)
    os.mkfifo(entry / "transcripts.parquet")
    assert told(entry) == [
        "agent: is a link, but an entry must contain its files itself",
        "runs.parquet: is a link, but an entry must contain its files itself",
        "transcripts.parquet: is neither a file nor a folder",
    ]


def test_what_is_too_large_is_refused(entry, monkeypatch):
    with (entry / "runs.parquet").open("r+b") as file:
        file.truncate(intake.LARGEST_FILE + intake.MIB)
    assert told(entry) == ["runs.parquet: has 257 MiB; the limit is 256"]
    monkeypatch.setattr(intake, "MOST_FILES", 1)
    assert "more than 1 files" in told(entry)[-1]


@pytest.mark.parametrize(
    ("name", "text", "reason"),
    [
        ("record.jsonl", '{"kind": "note"}\n{"kind": "note", "x": NaN}\n', "NaN is not a finite number"),
        ("record.jsonl", '{"kind": "note"}\n{"kind": "note", "reward": NaN}\n', "NaN is not a finite number"),
        ("record.jsonl", '{"kind": "note", "x": [1e999]}\n', "1e999 is not a finite number"),
        ("record.jsonl", '{"kind": "note", "x": 1, "x": 2}\n', "duplicate key 'x'"),
        ("summary.json", '{"a": {"ok": 1, "ok": 2}}', "duplicate key 'ok'"),
        ("llm/ledger.jsonl", '{"kind": "end", "usd": -Infinity}\n', "-Infinity is not a finite number"),
        ("best.json", "[" * 200_000, "nested too deeply"),
        ("config.yaml", "a: &a [x]\nb: [*a, *a]\n", "alias"),
        ("config.yaml", "budget: {evaluations: 1, evaluations: 2}\n", "duplicate key 'evaluations'"),
    ],
)
def test_what_can_be_read_in_two_ways_is_refused(entry, name, text, reason):
    pack(entry, {**read_packed(entry / "runs.parquet")["one"], name: text.encode()})
    (refusal,) = told(entry)
    assert refusal.startswith(f"{RUN}/{name}: cannot be read: ")
    assert reason in refusal


def test_what_is_no_file_of_a_run_is_refused(entry):
    pack(entry, {"record.jsonl": b"", "llm/notes.jsonl": b""})
    assert told(entry) == [
        "runs.parquet: cannot be read: runs.parquet has a file that does not belong to a run: one/llm/notes.jsonl"
    ]


def test_a_transcript_of_no_run_and_a_record_among_transcripts_are_refused(entry):
    for run, file in (("two", "llm/transcript.jsonl"), ("one", "record.jsonl")):
        write_packed({run: {file: b""}}, entry / "transcripts.parquet")
        (refusal,) = told(entry)
        why = f"transcripts.parquet has a file that is not the transcript of a run: {run}"
        assert refusal == f"runs.parquet: cannot be read: {why}"


def test_runs_that_are_no_runs_are_refused(entry):
    (entry / "runs.parquet").write_bytes(b"PAR1")
    (refusal,) = told(entry)
    assert refusal.startswith("runs.parquet: cannot be read: it is not a Parquet file of runs")


@pytest.mark.parametrize("manifest", ["[]", "{}", '{"format": 2}', '{"format": 2, "files": [], "submitted": {}}'])
def test_a_manifest_that_is_none_is_told_in_a_line(entry, manifest):
    (entry / MANIFEST).write_text(manifest)
    (refusal,) = told(entry)
    assert "is damaged" in refusal


def test_an_entry_of_the_form_before_is_told(entry):
    (entry / MANIFEST).write_text(json.dumps({**FORMAT, "format": 1}))
    (refusal,) = told(entry)
    assert "its format is not 2" in refusal


@pytest.mark.parametrize("agent", [None, [], "x", {"sha256": 1}])
def test_an_agent_that_is_none_is_refused(entry, agent):
    (entry / MANIFEST).write_text(json.dumps({**FORMAT, "agent": agent}))
    assert told(entry)
