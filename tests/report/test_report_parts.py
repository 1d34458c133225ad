"""The report's parts that need no machine: switches, traces, the timeline's drawing, the printer."""

import json
from types import SimpleNamespace

import pytest

from schedcp_gym.report import charts, pdf
from schedcp_gym.report.caches import cache_costs
from schedcp_gym.report.found import Percentiles
from schedcp_gym.report.timeline import Slice, Timeline, read_switches, trace
from schedcp_gym.spec import BadInput, SchedcpError

SWITCHES = (
    "0\t1000.000\t7\tredis server\n"
    "1\t1001.500\t8\tworker\n"
    "0\t1010.000\t0\tswapper/0\n"
    "0\t1012.000\t8\tworker\n"
    "1\t1004.000\t0\tswapper/1\n"
    "0\t1020.000\t7\tredis server\n"
)


def test_a_task_keeps_its_cpu_until_the_next_switch_there():
    assert read_switches(SWITCHES) == [
        Slice(0, 0.0, 10.0, 7, "redis server"),
        Slice(1, 1.5, 4.0, 8, "worker"),
        Slice(0, 12.0, 20.0, 8, "worker"),
    ]
    assert read_switches("") == []
    with pytest.raises(SchedcpError, match="can't be read"):
        read_switches("0\tnow\t7\tx\n")


def test_the_middle_of_a_timeline_is_cut_to_the_stretch():
    line = Timeline("vtime", 2, tuple(read_switches(SWITCHES)))
    assert line.middle(10.0) == [Slice(0, 0.0, 5.0, 7, "redis server"), Slice(0, 7.0, 10.0, 8, "worker")]


def test_the_trace_is_chromes_format():
    events = json.loads(trace([Timeline("eevdf", 2, tuple(read_switches(SWITCHES)))]))["traceEvents"]
    slices = [event for event in events if event["ph"] == "X"]
    first = slices[0]
    assert (first["tid"], first["ts"], first["dur"], first["name"]) == (0, 0.0, 10.0, "redis server")
    assert len(slices) == 3
    assert {event["args"]["name"] for event in events if event["ph"] == "M"} == {"eevdf", "CPU 0", "CPU 1"}


def test_names_in_a_chart_close_no_script():
    line = Timeline("eevdf", 1, (Slice(0, 0.0, 5.0, 7, "</script><b>"),))
    drawn = charts.timeline([line], 10.0)
    assert [row["name"] for row in drawn.to_dict()["data"]["values"]] == ["</script><b>"]
    html = charts.as_html(drawn, "chart")
    assert html.count("<") == html.replace("</script>", "").count("<") + 1 == 4  # <div>, </div>, <script>, </script>


def test_timeline_tells_names_and_threads_apart():
    """More slices than altair allows in a data frame, and more names than there are colours."""
    slices = tuple(Slice(0, at * 10.0, at * 10.0 + 9.0, 100 + at % 24, f"name-{at % 12}") for at in range(6_000))
    drawn = charts.timeline([Timeline("a", 1, slices), Timeline("b", 2, slices[:12])], 1e9).to_dict()
    rows = drawn["data"]["values"]
    assert len(rows) == 6_012
    assert rows[0] == {
        "row": "a\nCPU 0",
        "from_ms": 0.0,
        "to_ms": 0.009,
        "lasts_ms": 0.009,
        "task": "name-0 (100)",
        "name": "name-0",
        "shade": charts.SHADES[0],
    }
    assert rows[12]["shade"] == charts.SHADES[1]  # another thread of the same name
    assert drawn["encoding"]["y"]["scale"]["domain"] == ["a\nCPU 0", "b\nCPU 0", "b\nCPU 1"]
    names = drawn["encoding"]["color"]["scale"]["domain"]
    assert len(names) == len(charts.COLOURS) + 1
    assert names[-1] == "others"
    assert {row["name"] for row in rows} == set(names)


def test_latency_chart_has_a_line_for_each_policy_with_nines_of_equal_length():
    percentiles = Percentiles("request", ((0.9, 10.0), (0.99, 20.0), (0.999, 40.0)), ((0.9, 5.0), (0.99, 6.0)))
    rows = charts.latency(percentiles).to_dict()["data"]["values"]
    assert [(row["policy"], row["share"], row["latency_us"]) for row in rows] == [
        ("EEVDF", "90 %", 10.0),
        ("EEVDF", "99 %", 20.0),
        ("EEVDF", "99.9 %", 40.0),
        ("best", "90 %", 5.0),
        ("best", "99 %", 6.0),
    ]
    assert [row["nines"] for row in rows[:3]] == pytest.approx([1, 2, 3])


def test_pdf_without_chromium_names_the_package(monkeypatch, tmp_path):
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(BadInput, match="apt-get install chromium"):
        pdf.find_chromium()


def line(kind, policy, caches, cpu_s=1.0, outcome="ok", seed=7):
    """A line of a record, with what the table of cache costs needs of it."""
    measurement = {"trial": "t", "outcome": outcome, "metrics": {}, "caches": caches, "cpu_s_by_name": {"w": cpu_s}}
    return {
        "kind": kind,
        "policy": policy,
        "workload_seed": seed,
        "outcome": outcome,
        "measurement": measurement,
        "host": {"timings_s": {}},
    }


def found_with(pairs, record=(), best="mine"):
    """A run, as far as the table of cache costs needs it."""
    chosen = best and line("evaluation", best, {"w": {"cold_llc_s": 0.4, "switches": 5.0, "llc_moves": 9.0}})
    return SimpleNamespace(pairs=lambda: pairs, best=chosen, run=SimpleNamespace(record=list(record)))


def test_cache_costs_are_means_over_held_out_seeds_without_columns_that_are_empty():
    first = (line("heldout", "eevdf", {"w": {"cold_l2_s": 0.01}}), line("heldout", "mine", {"w": {"cold_l2_s": 0.1}}))
    second = (
        line("heldout", "eevdf", {"w": {"cold_l2_s": 0.03}, "x": {"smt_s": 0.02, "core_moves": 4.0}}),
        line("heldout", "mine", {"w": {"cold_l2_s": 0.3}}, cpu_s=3.0),
    )
    failed = (first[0], line("heldout", "mine", {}, outcome="timeout"))
    table = cache_costs(found_with([first, second, failed]))
    assert (table.seeds, table.causes, table.moves) == (2, ("cold L2", "busy sibling"), ("cores",))
    rows = {(row.name, row.policy): row for row in table.rows}
    assert list(rows) == [(name, policy) for name in ("all", "w", "x") for policy in ("EEVDF", "mine")]
    assert rows["all", "EEVDF"].charged_ms == pytest.approx(30.0)
    assert rows["w", "mine"].costs_ms == pytest.approx((200.0, 0.0))
    assert rows["x", "EEVDF"].costs_ms == pytest.approx((0.0, 10.0))
    assert rows["x", "EEVDF"].moves == (2.0,)
    assert table.shares == pytest.approx((0.03, 0.1))


def test_cache_costs_before_the_held_out_test_are_the_searchs_and_there_are_none_without_a_model():
    baseline = line("baseline", "eevdf", {"w": {"cold_llc_s": 0.1}})
    table = cache_costs(found_with([], [baseline]))
    assert (table.seeds, [row.charged_ms for row in table.rows[:2]]) == (0, [pytest.approx(100), pytest.approx(400)])
    assert cache_costs(found_with([], [baseline], best=None)) is None
    assert cache_costs(found_with([(line("heldout", "eevdf", {}), line("heldout", "mine", {}))])) is None
