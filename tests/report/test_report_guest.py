"""The page about a run: of a real run, and of what may become of one."""

import json
import shlex
import shutil
from html.parser import HTMLParser

import pytest
from typer.testing import CliRunner

from schedcp_gym.cli import app
from schedcp_gym.envs.render import times_text
from schedcp_gym.lab import catalogue
from schedcp_gym.report.found import Found
from schedcp_gym.report.page import render
from schedcp_gym.run.app import main
from schedcp_gym.run.folder import open_run
from schedcp_gym.spec import BadInput, SchedcpError, source_sha256
from tests.docs.test_commands import check, compose

pytestmark = pytest.mark.guest


class Parts(HTMLParser):
    """Elements, attributes and texts of a page."""

    def __init__(self, page):
        super().__init__()
        self.elements, self.texts, self._open = [], {}, ""
        self.feed(page)

    def handle_starttag(self, tag, attrs):
        self.elements.append((tag, dict(attrs)))
        self._open = tag

    def handle_endtag(self, tag):
        self._open = ""

    def handle_data(self, data):
        self.texts[self._open] = self.texts.get(self._open, "") + data

    def count(self, tag):
        return sum(name == tag for name, _attributes in self.elements)

    @property
    def fetched(self):
        return [value for _tag, attrs in self.elements for name, value in attrs.items() if name in ("src", "href")]


@pytest.fixture(scope="module")
def finished(image, tmp_path_factory):
    """A run that has ended."""
    folder = tmp_path_factory.mktemp("runs") / "mine"
    words = ["+agent=random_search", "workload=schbench", "budget.evaluations=3", "heldout.seeds=3", "seed=1"]
    assert main([*words, f"run.dir={folder}"]) == 0
    return folder


@pytest.fixture
def mine(finished, tmp_path):
    """A copy of it, to be changed."""
    return shutil.copytree(finished, tmp_path / "mine")


def lines_of(folder):
    return [json.loads(line) for line in (folder / "record.jsonl").read_text().splitlines()]


def write_lines(folder, entries):
    (folder / "record.jsonl").write_text("".join(json.dumps(entry) + "\n" for entry in entries))


def call(*words):
    return CliRunner().invoke(app, ["report", *map(str, words)])


def test_the_page_tells_what_the_run_found_and_needs_nothing_else(finished):
    done = call(finished)
    assert done.exit_code == 0, done.output
    page = (finished / "report.html").read_text()
    parts, best = Parts(page), json.loads((finished / "best.json").read_text())
    gained = best["heldout"]["reward"]
    assert f"{times_text(gained['mean'])} against EEVDF" in page
    assert f"{times_text(gained['low'])} to {times_text(gained['high'])}" in page
    assert "3 evaluations and" in page
    assert "workload=schbench" in page
    assert "budget.evaluations=3" in page
    assert parts.fetched == ["data:,"]
    assert page.count("window.vegaEmbed=") == 1
    assert {"curve-1", "latency-1-1", "latency-1-2"} <= {attrs.get("id") for _tag, attrs in parts.elements}


def test_its_figures_are_means_of_the_record(finished):
    found = Found(open_run(finished))
    rows = {row.name: row for row in found.metrics}
    heldout = [entry for entry in lines_of(finished) if entry["kind"] == "heldout"]
    of_eevdf = [each["measurement"]["metrics"]["p99_request_us"] for each in heldout if each["policy"] == "eevdf"]
    assert len(of_eevdf) == 3
    assert rows["p99_request_us"].eevdf == pytest.approx(sum(of_eevdf) / 3)
    assert rows["p99_request_us"].counts
    assert [share for share, _us in found.percentiles[0].eevdf] == [0.5, 0.9, 0.99, 0.999]
    assert found.origin.how == "as it is in the catalogue"


def test_its_command_begins_the_same_run(finished):
    (config,) = compose(shlex.split(Found(open_run(finished)).command)[3:])
    check(config)
    assert (config.workload.name, config.seed, config.budget.evaluations, config.heldout.seeds) == ("schbench", 1, 3, 3)


def test_several_runs_are_on_one_page(finished, mine, tmp_path):
    done = call(finished, mine)
    assert isinstance(done.exception, BadInput)
    assert "--out" in str(done.exception)
    assert call(finished, mine, "--out", tmp_path / "both.html").exit_code == 0
    page = (tmp_path / "both.html").read_text()
    parts = Parts(page)
    assert {"run-1", "run-2", "curve-1", "curve-2"} <= {attrs.get("id") for _tag, attrs in parts.elements}
    assert page.count("window.vegaEmbed=") == 1


def test_a_run_that_has_not_ended_is_told_as_far_as_it_went(mine):
    (mine / "best.json").unlink()
    (mine / "summary.json").unlink()
    write_lines(mine, [entry for entry in lines_of(mine) if entry["kind"] != "heldout"])
    page = render([Found(open_run(mine))])
    assert "the run has not ended" in page
    assert "Nothing was measured on held-out seeds" in page


def test_a_run_without_any_policy_that_ran(mine):
    entries = [entry for entry in lines_of(mine) if entry["kind"] != "heldout"]
    for entry in entries:
        if entry["kind"] == "evaluation":
            entry |= {"outcome": "rejected", "reward": -3.0, "message": "line 3: <no> such thing"}
    write_lines(mine, entries)
    page = render([Found(open_run(mine))])
    assert "no policy that ran to its end" in page
    assert "&lt;no&gt; such thing" in page


def test_names_and_sources_are_text_and_never_code(mine):
    clean = Parts(render([Found(open_run(mine))])).count("script")
    evil = "</script><script>alert(1)</script>"
    entries = lines_of(mine)
    for entry in entries:
        if entry["kind"] != "note" and entry["policy"] != "eevdf":
            entry["policy"] = evil
    write_lines(mine, entries)
    page = render([Found(open_run(mine))])
    assert evil not in page
    assert Parts(page).count("script") == clean
    assert "alert(1)" in page


def changed(folder, source, notes):
    """Makes another source the best one's, with notes of where it came from."""
    sha256 = source_sha256(source)
    (folder / "sources" / f"{sha256}.bpf.c").write_text(source)
    entries = lines_of(folder)
    best = Found(open_run(folder)).best["source_sha256"]
    for entry in entries:
        if entry.get("source_sha256") == best:
            entry |= {"source_sha256": sha256, "policy": "draft-1"}
    write_lines(folder, [*(note(sha256) for note in notes), *entries])
    return Found(open_run(folder))


def test_a_source_of_nobodys_is_compared_with_the_closest_of_the_catalogue(mine):
    source = catalogue.load_policy("vtime").source.replace("vtime", "mine")
    origin = changed(mine, source + "/* more */\n", []).origin
    assert origin.name == "vtime"
    assert "closest" in origin.how
    assert "+/* more */" in origin.diff
    page = render([Found(open_run(mine))])
    assert 'class="added">+/* more */' in page
    assert changed(mine, "int x;\n", []).origin.diff == ()


def test_what_a_plan_or_a_birth_says_comes_first(mine):
    source = catalogue.load_policy("vtime").source + "/* more */\n"
    plan = {"kind": "note", "plan": {"candidates": [{"name": "c-1", "way": "patch", "policy": "fifo"}]}}
    tried = {"kind": "note", "report": {"attempts": [{"candidate": "c-1", "policy": "draft-1"}]}}
    origin = changed(mine, source, [lambda _: plan, lambda _: tried]).origin
    assert (origin.how, origin.name) == ("made by the agent from", "fifo")

    def birth(member, sha256, parents):
        return {"kind": "note", "member": member, "parents": parents, "source_sha256": sha256, "change": ""}

    born = changed(
        mine, source + "/* and more */\n", [lambda _: birth("a", "f" * 64, []), lambda me: birth("b", me, ["a"])]
    )
    (mine / "sources" / f"{'f' * 64}.bpf.c").write_text("int parent;\n")
    assert Found(open_run(born.run.path)).origin.name == f"{'f' * 12} of this run"


def test_what_is_no_run_or_damaged_is_told_in_a_line(mine, tmp_path):
    (tmp_path / "empty").mkdir()
    assert "no run in" in str(call(tmp_path / "empty").exception)
    assert "no folder" in str(call(mine, "--out", tmp_path / "nowhere" / "page.html").exception)
    (mine / "config.yaml").write_text("run: [")
    with pytest.raises(SchedcpError, match="damaged"):
        Found(open_run(mine))


def test_a_browser_draws_it_without_errors(finished, tmp_path):
    playwright = pytest.importorskip("playwright.sync_api", reason="pip install playwright")
    path = tmp_path / "page.html"
    path.write_text(render([Found(open_run(finished))]))
    with playwright.sync_playwright() as started:
        own = shutil.which("chromium") or shutil.which("chromium-browser")
        try:
            browser = started.chromium.launch(executable_path=own, args=["--no-sandbox"])
        except playwright.Error as error:
            pytest.skip(f"no browser: {error}")
        told = []
        tab = browser.new_page()
        tab.on("console", lambda message: told.append(message.text) if message.type == "error" else None)
        tab.on("pageerror", lambda error: told.append(str(error)))
        tab.on("request", lambda request: told.append(request.url) if request.url.startswith("http") else None)
        tab.goto(path.as_uri())
        tab.wait_for_selector("#curve-1 svg.marks")
        tab.wait_for_selector("#latency-1-1 svg.marks")
        assert tab.locator("#latency-1-1 .mark-line path").count() == 2
        assert tab.locator("table.heldout tbody tr").count() > 5
        browser.close()
    assert told == []


def test_the_timeline_is_of_both_and_keeps_the_cpus_apart(mine, tmp_path):
    page, trace = tmp_path / "page.html", tmp_path / "trace.json"
    done = CliRunner().invoke(app, ["report", str(mine), "--out", str(page), "--perfetto", str(trace)])
    assert done.exit_code == 0, done.output
    assert 'aria-label="Timeline of each CPU"' in page.read_text()
    events = json.loads(trace.read_text())["traceEvents"]
    processes = [event["args"]["name"] for event in events if event["name"] == "process_name"]
    assert processes == ["eevdf", json.loads((mine / "best.json").read_text())["policy"]]
    for process in (1, 2):
        for cpu in (0, 1):
            ours = [event for event in events if event["ph"] == "X" and (event["pid"], event["tid"]) == (process, cpu)]
            ends = [event["ts"] + event["dur"] for event in ours]
            assert len(ours) > 100
            assert "schbench-worker" in {event["name"] for event in ours}
            # A CPU runs one task at a time (times are rounded to a nanosecond).
            assert all(begin["ts"] >= end - 0.002 for begin, end in zip(ours[1:], ends, strict=False))


@pytest.mark.skipif(not shutil.which("chromium"), reason="apt-get install chromium")
def test_it_is_printed(mine, tmp_path):
    out, printed = tmp_path / "page.html", tmp_path / "page.pdf"
    done = CliRunner().invoke(app, ["report", str(mine), "--out", str(out), "--pdf", str(printed)])
    assert done.exit_code == 0, done.output
    assert printed.read_bytes().startswith(b"%PDF-")
    assert printed.stat().st_size > 50_000
