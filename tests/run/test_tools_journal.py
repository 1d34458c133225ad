"""The audit log of a run's tools, and what a run that goes on is told out of it."""

import json

import pytest

from schedcp_gym.llm import ToolResult
from schedcp_gym.run.tools.journal import Journal, result_of
from schedcp_gym.spec import SchedcpError


def test_the_same_calls_are_answered_again_in_order(tmp_path):
    journal = Journal(tmp_path)
    assert journal.recall("look", {"at": 1}) is None
    journal.add("look", {"at": 1}, ToolResult({"guest_s": 2.5}, "one"))
    journal.add("look", {"at": 1}, ToolResult(text="another"))
    journal.add("look", {"at": float("nan")}, ToolResult(text="wrong", is_error=True), evaluation=None)
    before = journal.path.read_text()

    again = Journal(tmp_path)
    assert result_of(again.recall("look", {"at": 1})) == ToolResult({"guest_s": 2.5}, "one")
    assert result_of(again.recall("look", {"at": 1})) == ToolResult(text="another")
    last = again.recall("look", {"at": float("nan")})
    assert (last["is_error"], last["evaluation"]) == (True, None)
    assert again.recall("look", {"at": 1}) is None
    assert journal.path.read_text() == before
    assert all(
        {"kind", "tool", "arguments", "text", "data", "at"} <= set(json.loads(line)) for line in before.split("\n")[:3]
    )


def test_another_call_than_before_ends_the_run(tmp_path):
    Journal(tmp_path).add("look", {"at": 1}, ToolResult(text="one"))
    with pytest.raises(SchedcpError, match=r'calls look \{"at": 2\} where the journal has look \{"at": 1\}'):
        Journal(tmp_path).recall("look", {"at": 2})
    with pytest.raises(SchedcpError, match=r"another run\.dir"):
        Journal(tmp_path).recall("see", {"at": 1})


def test_a_line_that_was_cut_off_is_a_call_that_was_not_made(tmp_path):
    journal = Journal(tmp_path)
    journal.add("look", {"at": 1}, ToolResult(text="one"))
    journal.path.write_bytes(journal.path.read_bytes() + b'{"kind": "call", "to')
    again = Journal(tmp_path)
    assert again.recall("look", {"at": 1})
    assert again.recall("look", {"at": 2}) is None
    again.add("look", {"at": 2}, ToolResult(text="two"))
    assert len(journal.path.read_text().splitlines()) == 2
