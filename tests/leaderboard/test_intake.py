"""What is refused before anything in an entry is read."""

import json
import os

import pytest

from schedcp_gym.leaderboard import intake
from schedcp_gym.leaderboard.check import audit

RUN = "runs/one"


@pytest.fixture
def entry(tmp_path):
    """Files that are none of an entry yet, but plain."""
    folder = tmp_path / "entry"
    (folder / RUN).mkdir(parents=True)
    (folder / "entry.json").write_text(json.dumps({"format": 1, "files": {}, "submitted": {}}))
    (folder / RUN / "config.yaml").write_text("run: {agent: eevdf}\n")
    (folder / RUN / "record.jsonl").write_text('{"kind": "note"}\n{"kind"')
    assert intake.look_over(folder) == []
    return folder


def told(entry):
    return [str(one) for one in audit(entry)[0]]


def test_links_and_pipes_are_refused_before_they_are_opened(entry, tmp_path):
    (tmp_path / "outside").mkdir()
    (tmp_path / "outside/record.jsonl").write_text("secret\n")
    (entry / "runs/two").symlink_to(tmp_path / "outside")
    (entry / RUN / "sources").mkdir()
    os.mkfifo(entry / RUN / "sources/a.bpf.c")
    assert told(entry) == [
        "runs/two: is a link, and an entry is whole in itself",
        f"{RUN}/sources/a.bpf.c: is neither a file nor a folder",
    ]


def test_what_is_too_large_is_refused(entry, monkeypatch):
    with (entry / RUN / "record.jsonl").open("r+b") as file:
        file.truncate(intake.LARGEST_FILE + intake.MIB)
    assert told(entry) == [f"{RUN}/record.jsonl: has 257 MiB; a file may have 256"]
    monkeypatch.setattr(intake, "MOST_FILES", 2)
    assert "more than 2 files" in told(entry)[-1]


@pytest.mark.parametrize(
    ("name", "text", "reason"),
    [
        ("record.jsonl", '{"kind": "note"}\n{"kind": "note", "x": NaN}\n', "NaN is not a finite number"),
        ("record.jsonl", '{"kind": "note", "x": [1e999]}\n', "1e999 is not a finite number"),
        ("summary.json", '{"a": {"ok": 1, "ok": 2}}', "'ok' is there twice"),
        ("llm/ledger.jsonl", '{"kind": "end", "usd": -Infinity}\n', "-Infinity is not a finite number"),
        ("best.json", "[" * 200_000, "nested too deep"),
        ("config.yaml", "a: &a [x]\nb: [*a, *a]\n", "alias"),
        ("config.yaml", "budget: {evaluations: 1, evaluations: 2}\n", "'evaluations' is there twice"),
    ],
)
def test_what_can_be_read_in_two_ways_is_refused(entry, name, text, reason):
    (entry / RUN / name).parent.mkdir(exist_ok=True)
    (entry / RUN / name).write_text(text)
    (refusal,) = told(entry)
    assert refusal.startswith(f"{RUN}/{name}: can't be read: ")
    assert reason in refusal


@pytest.mark.parametrize("manifest", ["[]", "{}", '{"format": 1}', '{"format": 1, "files": [], "submitted": {}}'])
def test_a_manifest_that_is_none_is_told_in_a_line(entry, manifest):
    (entry / "entry.json").write_text(manifest)
    (refusal,) = told(entry)
    assert "is damaged" in refusal
