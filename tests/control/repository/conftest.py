"""Repositories for tests: with the library in them, and results that one can make up."""

import pytest

from schedcp_gym.control.repository import ResultRecord, open_library, seed


@pytest.fixture(scope="session")
def library(tmp_path_factory):
    """The library with its recorded results, as users have it. Not to be written to."""
    return open_library(tmp_path_factory.mktemp("library"))


@pytest.fixture(autouse=True)
def unrecorded(monkeypatch, tmp_path):
    """The test's own repositories begin without results: those that are there, the test has put in."""
    monkeypatch.setattr(seed, "RECORDED", tmp_path / "no-recorded-results")


@pytest.fixture
def repository(tmp_path):
    """A repository of the test's own."""
    return open_library(tmp_path / "repository")


@pytest.fixture
def result():
    """A function that makes a result on longtail."""

    def make(policy="ljf", seed=0, reward=0.3, **more):
        given = {"workload": "longtail", "outcome": "ok", "metrics": {"makespan_s": 10.0 - (reward or 0) + seed / 100}}
        given |= {"machine": "virtual-2cpu-1024mib", "trial": f"trial-{seed}", **more}
        if given["outcome"] != "ok":
            given["metrics"] = {}
        return ResultRecord(policy=policy, seed=seed, reward=reward, **given)

    return make
