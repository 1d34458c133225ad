"""A run's folder, read: typed where something is asked by name, and whole."""

import json

import pytest

from schedcp_gym.files import write_whole
from schedcp_gym.run.folder import LARGEST_SOURCE, PolicySources, find_runs, open_run
from schedcp_gym.spec import BadInput, SchedcpError, source_sha256
from tests.record_lines import line, note


def put(folder, *lines):
    (folder / "record.jsonl").write_text("".join(json.dumps(one) + "\n" for one in lines))
    return open_run(folder)


def test_fields_that_are_not_known_are_kept(tmp_path):
    caches = {"l3_misses": 7, "by_core": [0.1, None]}
    lines = [line("baseline", measurement={"caches": caches}, later=[1]), note(iteration=1, kind_of={"a": 2})]
    run = put(tmp_path, *lines)
    assert run.record == lines
    assert json.dumps(run.record, sort_keys=True) == json.dumps(lines, sort_keys=True)
    assert [one["measurement"]["caches"] for _name, one in run.trials] == [caches]


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"kind": "benchmark"}, "kind"),
        ({"reward": "0.5"}, "reward"),
        ({"measurement": None}, "measurement"),
        ({"workload_seed": 1.5}, "workload_seed"),
    ],
)
def test_a_damaged_line_is_named(tmp_path, change, words):
    run = put(tmp_path, line("baseline"), {**line(), **change})
    with pytest.raises(SchedcpError, match=rf"record\.jsonl: line 2 is damaged: .*{words}"):
        _ = run.record


def test_a_source_with_windows_line_ends_is_the_one_that_was_measured(tmp_path):
    source = "int a;\r\nint b;\r"  # as a model may write it
    write_whole(tmp_path / "a.bpf.c", source)
    assert source_sha256(PolicySources(tmp_path)["a"]) == source_sha256(source)


def test_a_source_is_a_plain_file_of_the_folder(tmp_path):
    folder = tmp_path / "sources"
    folder.mkdir()
    (tmp_path / "out.bpf.c").write_text("int secret;\n")
    (folder / "link.bpf.c").symlink_to(tmp_path / "out.bpf.c")
    with (folder / "large.bpf.c").open("wb") as file:
        file.truncate(LARGEST_SOURCE + 1)
    for name in ("../out", "", "absent", "a\0b"):
        with pytest.raises(KeyError):
            PolicySources(folder)[name]
    with pytest.raises(SchedcpError, match="not a regular file"):
        PolicySources(folder)["link"]
    with pytest.raises(SchedcpError, match="has more than"):
        PolicySources(folder)["large"]


def test_a_damaged_entry_is_named(tmp_path):
    with pytest.raises(BadInput, match="no run"):
        find_runs(tmp_path)
    (tmp_path / "runs.parquet").write_bytes(b"PAR1")
    with pytest.raises(SchedcpError, match=r"runs\.parquet is damaged"):
        find_runs(tmp_path)
