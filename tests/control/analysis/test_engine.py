"""The engine's questions that boot nothing, and what it refuses before it would."""

import inspect

import pytest

from schedcp_gym.control.analysis import Analysis
from schedcp_gym.control.analysis.engine import Analyzer
from schedcp_gym.lab import Lab, catalogue
from schedcp_gym.spec import EEVDF, BadInput

QUESTIONS = ("summary", "changes", "profile", "probe", "files", "file", "feedback")


@pytest.fixture
def analyzer(monkeypatch):
    """One whose lab must not be used."""

    def boots(*_args):
        raise AssertionError("it would boot")

    monkeypatch.setattr(Lab, "machine", boots)
    return Analyzer(Lab(workers=1))


def test_files_are_listed_and_read_by_name_or_declaration(analyzer):
    listed = analyzer.files("schbench")
    assert listed.data == analyzer.files(catalogue.load_workload("schbench")).data
    assert "workload.yaml" in listed.data["files"]
    whole = analyzer.file("schbench", "workload.yaml")
    assert "name: schbench" in whole.text
    assert analyzer.file("schbench", "workload.yaml", 3).data["first_line"] == 3


@pytest.mark.parametrize(
    ("ask", "says"),
    [
        (lambda analyzer: analyzer.summary("nonesuch"), "unknown workload"),
        (lambda analyzer: analyzer.changes("schbench", "nonesuch"), "unknown policy"),
        (lambda analyzer: analyzer.profile("schbench", ["nonesuch"]), "unknown profile"),
        (lambda analyzer: analyzer.probe("schbench", " "), "the probe is empty"),
        (lambda analyzer: analyzer.files("nonesuch"), "unknown workload"),
        (lambda analyzer: analyzer.file("schbench", "../x"), "outside the workload's folder"),
        (lambda analyzer: analyzer.feedback("schbench", "fifo", "nonesuch"), "unknown policy"),
        (lambda analyzer: analyzer.feedback("schbench", "fifo", objective="nonesuch"), "unknown objective"),
    ],
)
def test_what_does_not_exist_is_refused_before_anything_boots(analyzer, ask, says):
    with pytest.raises(BadInput, match=says):
        ask(analyzer)


@pytest.mark.parametrize("name", QUESTIONS)
def test_a_question_says_all_that_a_tool_needs(name):
    method = getattr(Analyzer, name)
    signature = inspect.signature(method)
    assert signature.return_annotation is Analysis
    told = inspect.getdoc(method)
    assert told.startswith("Tier ")
    assert "Raises:" in told
    for parameter in list(signature.parameters.values())[1:]:
        assert parameter.annotation is not inspect.Parameter.empty
        assert parameter.name == "workload" or f"    {parameter.name}: " in told
        assert parameter.default in (inspect.Parameter.empty, None, EEVDF, (), 1, True)
