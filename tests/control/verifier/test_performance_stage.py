"""The performance stage: good policies pass, correct but useless ones don't."""

import pytest
import yaml

from schedcp_gym.control.verifier import performance
from schedcp_gym.control.verifier.performance import check_performance, limits
from schedcp_gym.control.verifier.report import Stage
from schedcp_gym.lab import Lab, catalogue
from schedcp_gym.spec import MachineSpec, Policy


def test_every_limit_is_of_a_metric_that_there_is():
    assert len(limits()) == len(yaml.safe_load(performance.LIMITS.read_text())) >= 4
    for limit in limits():
        assert limit.metric in catalogue.load_workload(limit.workload).metrics
        assert limit.why


@pytest.fixture(scope="module")
def cached_lab():
    """A lab that uses what is stored: EEVDF's measurements."""
    return Lab(workers=2)


@pytest.mark.guest
def test_a_good_policy_passes_with_a_figure_for_each_limit(cached_lab):
    report = check_performance(catalogue.load_policy("vtime"), cached_lab, MachineSpec())
    assert report.passed, report.summary
    assert report.stage is Stage.PERFORMANCE
    assert len(report.figures) == len(limits())
    assert all(figure.kept and figure.value > 0.2 for figure in report.figures)
    assert report.summary.startswith(f"{len(limits())} figures kept")


@pytest.mark.guest
def test_a_policy_that_wastes_the_cpus_fails_and_says_how_much_is_left(cached_lab):
    source = catalogue.load_policy("fifo").source
    wasteful = source.replace("	wake_idle_cpu(p);", "	for (int i = 0; i < 30000; i++)\n\t\tbarrier();")
    assert wasteful != source
    report = check_performance(Policy("wasteful", wasteful), cached_lab, MachineSpec())
    assert not report.passed
    assert not report.infra_fault
    assert "(at least 0." in report.summary
    assert report.evidence


@pytest.mark.guest
def test_a_policy_that_is_ejected_has_no_figures_that_count(cached_lab):
    source = catalogue.load_policy("fifo").source
    failing = source.replace("	wake_idle_cpu(p);", '	if (next_turn > 500)\n\t\tscx_bpf_error("enough");')
    assert failing != source
    report = check_performance(Policy("failing", failing), cached_lab, MachineSpec())
    assert not report.passed
    assert not report.infra_fault
    assert "ejected" in report.summary
    assert "enough" in report.summary
    assert any(figure.value is None and not figure.kept for figure in report.figures)
