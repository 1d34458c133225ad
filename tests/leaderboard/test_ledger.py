"""A run's ledger has to say what its transcript says."""

import dataclasses

import pytest

from schedcp_gym.leaderboard.audit_totals import audit_ledger
from schedcp_gym.leaderboard.flaw import FlawKind
from schedcp_gym.llm.chat import RawAnswer, Usage
from schedcp_gym.llm.errors import CallOutcome
from schedcp_gym.llm.ledger import CallEntry, CallLedger
from schedcp_gym.llm.transcript import Transcript
from schedcp_gym.run.folder import open_run

CALL = CallEntry(call=0, role="r", model="maker/m", request_sha256="a", attempt=1, outcome=CallOutcome.INTERRUPTED)


@pytest.fixture
def books(tmp_path):
    """A run's folder with one call that ended and one that was cut off; the ledger, and the call."""
    (tmp_path / "llm").mkdir()
    ledger = CallLedger(tmp_path / "llm/ledger.jsonl")
    transcript = Transcript(tmp_path / "llm/transcript.jsonl", strict=False)
    done = dataclasses.replace(ledger.begin(CALL), outcome=CallOutcome.OK, prompt_tokens=70, usd=0.5)
    ledger.end(done)
    answer = RawAnswer({"content": "yes"}, "stop", "m", Usage(70, 0, None, 0.5))
    transcript.add(done, {"messages": []}, answer, "", final=True)
    ledger.begin(CALL)
    return tmp_path, ledger, done


def refusals(folder):
    found = list(audit_ledger(open_run(folder)))
    assert all(one.kind is FlawKind.COST for one in found)
    return [one.reason for one in found]


def test_a_call_that_was_cut_off_needs_no_answer(books):
    assert refusals(books[0]) == []


def test_a_cheaper_call_is_refused(books):
    folder, ledger, done = books
    ledger.end(dataclasses.replace(done, usd=0.1))
    assert refusals(folder) == ["call 1 differs from the transcript"]


def test_a_call_that_is_left_out_is_refused(books):
    folder, ledger, _done = books
    ledger.path.write_text("")
    assert refusals(folder) == ["lacks call 1 of the transcript"]


def test_a_call_that_was_never_made_is_refused(books):
    folder, ledger, done = books
    ledger.end(dataclasses.replace(done, call=3))
    assert refusals(folder) == ["call 3 is not in the transcript"]


def test_without_a_transcript_there_is_nothing_to_compare(books):
    folder, ledger, done = books
    ledger.end(dataclasses.replace(done, usd=0.1))
    (folder / "llm/transcript.jsonl").unlink()
    assert refusals(folder) == []
