"""The documentation builds, and its pages have what they include from code and README."""

import os
import subprocess
import sys

import pytest

from schedcp_gym.paths import PACKAGE

pytest.importorskip("mkdocs", reason="needs the extra docs")
ROOT = PACKAGE.parent


@pytest.fixture(scope="module")
def site(tmp_path_factory):
    """The built pages."""
    folder = tmp_path_factory.mktemp("site")
    command = [sys.executable, "-m", "mkdocs", "build", "--strict", "--site-dir", str(folder)]
    done = subprocess.run(
        command, cwd=ROOT, env={**os.environ, "NO_MKDOCS_2_WARNING": "1"}, capture_output=True, text=True
    )
    assert done.returncode == 0, done.stderr
    assert "WARNING" not in done.stderr
    return folder


@pytest.mark.parametrize(
    ("page", "words"),
    [
        ("index.html", "images/loop.svg"),
        ("tutorials/first-search/index.html", "p99_request_us"),
        ("tutorials/first-measurement/index.html", "the process with most CPU time: the long job"),
        ("tutorials/agent/index.html", "How many policies to measure at their defaults first"),
        ("tutorials/workload/index.html", "99th percentile of the time from sending the byte"),
        ("tutorials/workload/index.html", "work between two requests"),
        ("tutorials/policy/index.html", "woken_first_enqueue"),
        ("reference/environments/tune/index.html", "Observation Space"),
        ("reference/environments/synth/index.html", "Episode End"),
        ("reference/environments/table/index.html", "Action Space"),
        ("reference/environments/index.html", "the process with most CPU time: the long job"),
        ("reference/api/envs/index.html", "SchedEnv"),
        ("reference/api/index.html", "load_results"),
    ],
)
def test_a_page_has_what_it_takes_from_elsewhere(site, page, words):
    text = (site / page).read_text()
    assert words in text
    assert "--8&lt;--" not in text
    assert ":class:" not in text


def test_nothing_is_fetched_from_elsewhere(site):
    for page in site.rglob("*.html"):
        assert "fonts.googleapis" not in page.read_text()


def test_the_examples_are_not_pages_of_their_own(site):
    assert not (site / "examples").exists()
