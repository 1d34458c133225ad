import dataclasses

import pytest

from schedcp_gym.control.analysis import files
from schedcp_gym.lab import catalogue
from schedcp_gym.llm import tokens
from schedcp_gym.spec import BadInput


@pytest.fixture
def workload(tmp_path, monkeypatch):
    """A workload in a folder of its own, with things in it that must not be had."""
    folder = tmp_path / "workloads" / "own"
    (folder / "data").mkdir(parents=True)
    (folder / "run.py").write_text("print('hello')\n")
    (folder / "data" / "list.txt").write_text("".join(f"line {number}\n" for number in range(1, 20_001)))
    (folder / "binary").write_bytes(b"\x7fELF\0\0")
    (folder / "latin").write_bytes(b"caf\xe9\n")
    (folder / ".hidden").write_text("x")
    (tmp_path / "secret").write_text("secret")
    (folder / "link").symlink_to(tmp_path / "secret")
    (folder / "linked").symlink_to(tmp_path)
    shared = tmp_path / "workloads" / "shared"
    shared.mkdir()
    (shared / "common.py").write_text("COMMON = 1\n")
    (shared / "other.py").write_text("OTHER = 1\n")
    monkeypatch.setattr(files, "WORKLOADS", tmp_path / "workloads")
    monkeypatch.setattr(files, "SHARED", shared)
    return dataclasses.replace(
        catalogue.load_workload("schbench"), name="own-2x", folder="own", shared=["common.py"], digest="d"
    )


def test_its_own_and_its_shared_files_are_listed(workload):
    listed = files.list_files(workload)
    assert listed.data["files"].keys() == {"run.py", "data/list.txt", "binary", "latin", "shared/common.py"}
    assert "run.py 15" in listed.text
    assert listed.tokens == tokens.count(listed.text)


def test_what_a_declaration_takes_from_another_can_be_read_too():
    assert "makespan_s" in files.read_file(catalogue.load_workload("checksums"), "shared/batch.yaml").text


def test_a_file_is_read(workload):
    assert files.read_file(workload, "run.py").text == "print('hello')"
    assert files.read_file(workload, "shared/common.py").text == "COMMON = 1"


def test_a_long_file_is_cut_and_read_on(workload):
    begun = files.read_file(workload, "data/list.txt", tokens_limit=300)
    assert begun.data["cut"]
    assert begun.tokens < 330
    assert f"cut after line {begun.data['last_line']}" in begun.text
    more = files.read_file(workload, "data/list.txt", first_line=begun.data["last_line"] + 1, tokens_limit=300)
    assert more.text.startswith(f"line {begun.data['last_line'] + 1}\n")


def test_a_file_of_one_long_line_is_cut_too(workload, tmp_path):
    (tmp_path / "workloads" / "own" / "long").write_text("x y " * 100_000)
    read = files.read_file(workload, "long", tokens_limit=100)
    assert read.data["cut"] or read.tokens < 130
    assert read.tokens < 200


@pytest.mark.parametrize(
    "path",
    [
        "../../secret",
        "data/../../../secret",
        "/etc/passwd",
        "link",
        "linked/secret",
        "linked",
        "data",
        ".hidden",
        "",
        ".",
        "shared/other.py",
        "shared/../own/run.py",
        "run.py\0",
        "x" * 5000,
        "binary",
        "latin",
        "\udcff",
    ],
)
def test_what_is_outside_or_no_text_is_refused_in_a_line(workload, path):
    with pytest.raises(BadInput) as refused:
        files.read_file(workload, path)
    assert "\n" not in str(refused.value)
    assert len(str(refused.value)) < 300


def test_a_line_that_is_not_there_is_refused(workload):
    with pytest.raises(BadInput, match="there is no line 7"):
        files.read_file(workload, "run.py", first_line=7)
