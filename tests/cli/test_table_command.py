"""``schedcp-gym table``, as a person runs it, as far as it measures nothing."""

import json

import pytest
from typer.testing import CliRunner

from schedcp_gym.cli import app
from schedcp_gym.spec import BadInput


def run(*words):
    answer = CliRunner().invoke(app, ["table", *words])
    if answer.exception and not isinstance(answer.exception, SystemExit):
        raise answer.exception
    assert answer.exit_code == 0, answer.output
    return answer.output


def test_show_tells_what_a_table_is_of_and_how_near_to_reality():
    text = run("show", "schbench")
    assert "schbench: " in text
    assert "measurements of 15 policies, smoke scale, virtual clock, 2 CPUs, workload seed" in text
    assert "rank correlation of rewards 0." in text
    assert "schbench.parquet" in text
    told = json.loads(run("show", "schbench", "--json"))[0]
    assert told["measurements"] >= told["points"]
    assert 0 < told["fidelity"]["rank_correlation"] <= 1
    assert set(told["digests"]) == {"image", "machine", "kernel", "qemu"}
    assert isinstance(told["changed"], list)


def test_show_tells_of_all(tmp_path, monkeypatch):
    assert len(json.loads(run("show", "--json"))) >= 1
    monkeypatch.setenv("SCHEDCP_TABLES", str(tmp_path / "none"))
    assert json.loads(run("show", "--json")) == []
    assert "`schedcp-gym table record WORKLOAD` makes one" in run("show")


@pytest.mark.parametrize(
    ("words", "says"),
    [
        (["show", "schbenhc"], "schbench"),
        (["show", "sysbench"], "sysbench has no table; `schedcp-gym table record sysbench` makes one"),
        (["check", "sysbench"], "sysbench has no table"),
        (["record", "longtial"], "longtail"),
    ],
)
def test_bad_input_is_told_with_its_remedy(words, says):
    with pytest.raises(BadInput, match=says):
        run(*words)


def test_nothing_to_check_is_said(tmp_path, monkeypatch):
    monkeypatch.setenv("SCHEDCP_TABLES", str(tmp_path))
    with pytest.raises(BadInput, match="there is no table to check"):
        run("check")
