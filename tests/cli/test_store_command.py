"""``schedcp-gym store``, as a person runs it."""

import dataclasses
import json
import sys
from pathlib import Path

import pandas as pd
import pytest
from typer.testing import CliRunner

sys.path.insert(0, str(Path(__file__).parents[1] / "lab"))
from store_examples import MEASUREMENT, put, trial

from schedcp_gym.cli import app
from schedcp_gym.lab.store import shared_store
from schedcp_gym.spec import BadInput, Outcome


@pytest.fixture
def run(tmp_path, monkeypatch):
    monkeypatch.setenv("SCHEDCP_CACHE", str(tmp_path))

    def call(*arguments, status=0):
        answer = CliRunner().invoke(app, ["store", *arguments])
        if answer.exception and not isinstance(answer.exception, SystemExit):
            raise answer.exception
        assert answer.exit_code == status, answer.output
        return answer.output

    return call


@pytest.fixture
def filled(run):
    store = shared_store()
    metrics = {"p99_request_us": 2938.25, "p50_request_us": 12.5}
    put(store, 0, dataclasses.replace(MEASUREMENT, metrics=metrics))
    put(store, 1, dataclasses.replace(MEASUREMENT, outcome=Outcome.EJECTED, message="stalled \x1b[31m", metrics={}))
    put(store, 2, name="ljf", on="longtail", favour="ember")
    return store


def test_an_empty_store_is_no_error(run):
    assert "no such measurement is stored" in run("ls")
    assert json.loads(run("ls", "--json")) == []
    assert "0 of 0" in run("gc")


def test_ls_lists_with_filters_and_shows_no_control_characters(run, filled):
    text = run("ls")
    assert "3 of 3" in text
    assert "p99_request_us 2,938.25" in text
    assert "\x1b" not in text
    assert "ljf favour=ember" in text
    assert [row["seed"] for row in json.loads(run("ls", "--json", "-w", "sch*"))] == [1, 0]
    assert [row["seed"] for row in json.loads(run("ls", "--json", "--outcome", "ejected"))] == [1]
    assert "1 of 3" in run("ls", "--limit", "1")


def test_show_takes_the_beginning_of_a_digest(run, filled):
    digest = trial(0).digest
    text = run("show", digest[:12])
    assert digest in text
    assert "2938.25" in text
    assert "schbench, smoke scale, seed 0" in text
    assert json.loads(run("show", digest, "--json"))["measurement"]["metrics"]["p99_request_us"] == 2938.25
    assert run("show", digest, "--source") == trial(0).policy.source


@pytest.mark.parametrize(
    ("words", "says"),
    [
        (["show", "zz"], "is not a digest"),
        (["show", ""], "is not a digest"),
        (["show", "0123456789abcdef"], "no trial begins with"),
        (["ls", "--outcome", "fine"], "unknown outcome 'fine'"),
        (["ls", "--clock", "wall"], "unknown clock 'wall'"),
        (["export", "x.xls"], "must end in .parquet or .csv"),
        (["export", "/no/such/x.csv"], "there is no folder /no/such"),
        (["check", "-w", "nosuch"], "there is nothing to check"),
    ],
)
def test_bad_input_is_told_with_its_remedy(run, filled, words, says):
    with pytest.raises(BadInput, match=says):
        run(*words)


@pytest.mark.parametrize("name", ["all.csv", "all.parquet"])
def test_export_writes_flat_columns(run, filled, tmp_path, name):
    assert "3 rows" in run("export", str(tmp_path / name))
    read = pd.read_csv if name.endswith("csv") else pd.read_parquet
    table = read(tmp_path / name)
    row = table[table["workload_seed"] == 0].iloc[0]
    assert row["result.p99_request_us"] == 2938.25
    assert row["config.policy"] == "fifo"
    assert table[table["workload_seed"] == 2].iloc[0]["config.favour"] == "ember"
    assert not [path for path in tmp_path.iterdir() if path.name.endswith(".part")]


def test_gc_says_what_would_go_and_deletes_it(run, filled, tmp_path):
    old = tmp_path / "store" / "v1"
    old.mkdir(parents=True)
    assert "3 of 3 measurements would be deleted: 3 of images that do not exist" in run("gc", "--dry-run")
    assert filled.count() == 3
    assert old.exists()
    assert "0 of 3" in run("gc", "--any-image", "--older-than", "1")
    assert filled.count() == 3
    assert not old.exists()
    assert "deleted: 3 to make room" in run("gc", "--any-image", "--max-mib", "0")
    assert filled.count() == 0


def test_check_says_why_what_can_not_be_run_again_is_not(run, filled, monkeypatch):
    monkeypatch.setattr("schedcp_gym.lab.Lab.image", lambda self, kernel: None)
    monkeypatch.setattr("schedcp_gym.lab.Lab.digests", lambda self, trial: dict.fromkeys(["image"], "another"))
    text = run("check", status=1)
    assert "0 equal, 0 different, 3 not run again" in text
    assert "3: it was measured with another image" in text
