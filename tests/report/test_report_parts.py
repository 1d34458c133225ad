"""The report's parts that need no machine: switches, traces, the timeline's drawing, the printer."""

import json

import pytest

from schedcp_gym.report import charts, pdf
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


def test_names_in_a_drawing_close_no_script():
    line = Timeline("eevdf", 1, (Slice(0, 0.0, 5.0, 7, "</script><b>"),))
    drawn = charts.timeline([line], 10.0)
    assert "</script><b>" in {each.name for each in drawn.data}
    assert "</script><b>" not in charts.as_html(drawn, "drawing")


def test_pdf_without_chromium_names_the_package(monkeypatch, tmp_path):
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(BadInput, match="apt-get install chromium"):
        pdf.find_chromium()
