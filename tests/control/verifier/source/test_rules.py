"""Each rule trips where it should, on the line it should, and nowhere else: sources in rules/<rule>/."""

from pathlib import Path

import pytest

from schedcp_gym.control.verifier.report import Severity
from schedcp_gym.control.verifier.source import check_source
from schedcp_gym.control.verifier.source.rules import all_rules
from schedcp_gym.lab import catalogue
from schedcp_gym.spec import Policy

pytestmark = pytest.mark.guest  # boots nothing, but needs the image's headers

FOLDER = Path(__file__).parent / "rules"
CASES = sorted(FOLDER.glob("*/*.bpf.c"))
SEVERITIES = {"bad": {Severity.ERROR}, "warn": {Severity.WARNING}, "good": set()}


def marked_lines(source, rule):
    """Lines that end in a mark; the header comment's mark (line 2) stands for the whole source."""
    lines = [number for number, line in enumerate(source.splitlines(), 1) if f"<- {rule}" in line]
    return [None if number == 2 else number for number in lines]


@pytest.mark.parametrize("path", CASES, ids=lambda path: f"{path.parent.name}/{path.name.removesuffix('.bpf.c')}")
def test_a_rule_trips_where_it_should_and_only_there(image, path):
    source, rule = path.read_text(), path.parent.name
    report, compiled = check_source(Policy(path.stem, source), image)
    assert compiled, report.log
    found = [finding for finding in report.findings if finding.rule == rule]
    kind = path.name.partition("_")[0].removesuffix(".bpf.c")
    assert [finding.line for finding in found] == marked_lines(source, rule), report.log
    assert {finding.severity for finding in found} == SEVERITIES[kind]
    assert all(finding.why and finding.fix for finding in found)
    errors = [finding for finding in report.findings if finding.severity is Severity.ERROR]
    assert report.passed is not bool(errors)
    if kind != "bad":
        assert not errors, report.log


def test_every_rule_has_a_source_that_trips_it_and_one_that_does_not():
    kinds = {}
    for path in CASES:
        kinds.setdefault(path.parent.name, set()).add(path.name.partition("_")[0].removesuffix(".bpf.c"))
    assert set(kinds) == {rule.id for rule in all_rules()}
    assert all("good" in found and found & {"bad", "warn"} for found in kinds.values())


def test_every_rule_documents_itself():
    import importlib
    import pkgutil

    from schedcp_gym.control.verifier.source import rules

    modules = [importlib.import_module(f"{rules.__name__}.{m.name}") for m in pkgutil.iter_modules(rules.__path__)]
    assert len(modules) == len(all_rules()) == len({module.RULE.id for module in modules})
    assert all(module.__doc__ and module.RULE.why and module.RULE.fix for module in modules)


@pytest.mark.parametrize("name", catalogue.policy_names()[1:])
def test_every_policy_of_the_library_passes(image, name):
    report, compiled = check_source(catalogue.load_policy(name), image)
    assert report.passed, report.log
    assert compiled
    assert not [finding for finding in report.findings if finding.severity is Severity.ERROR]
