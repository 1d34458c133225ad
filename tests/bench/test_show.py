"""A suite's results as table, JSON, CSV and picture."""

import io
import json
import re

import pytest
from bench_examples import BATCH, EEVDF, FAST, result, workload
from rich.console import Console

from schedcp_gym.bench import Suite
from schedcp_gym.bench.frame import frame_of, records_of
from schedcp_gym.bench.plot import check_file, write_plot
from schedcp_gym.cli.bench import as_plain
from schedcp_gym.cli.bench_table import print_suite
from schedcp_gym.printing import console_of, value_text
from schedcp_gym.spec import BadInput, Objective, Outcome

WIDTH = 100
LONG = workload("viral-product-analytics", objective=Objective({"makespan_s": 1.0}))
SUITE = Suite((EEVDF, FAST), (BATCH, LONG))
RESULTS = [
    result(4.0, policy=EEVDF),
    result(2.5),
    result(4.0, policy=EEVDF, on=LONG, cached=True),
    result(outcome=Outcome.EJECTED, on=LONG, message="runnable task stall:\nprog[12]\x1b[31m failed to run"),
]


def text_of(suite, results):
    target = io.StringIO()
    print_suite(console_of(WIDTH, Console(file=target, highlight=False)), suite, results)
    return target.getvalue()


def test_the_table_has_value_ratio_share_and_outcome():
    lines = text_of(SUITE, RESULTS).splitlines()
    row = next(line for line in lines if "fast" in line)
    assert re.findall(r"\S+", row) == ["fast", "makespan_s", "2.5", "s", "1.60x", "80.0", "%", "ok", "1.0"]
    assert all(len(line) <= WIDTH for line in lines if not line.startswith(("fast", "eevdf")))


def test_a_failure_has_its_reason_in_one_harmless_line():
    text = text_of(SUITE, RESULTS)
    assert "ejected" in text
    assert "fast on viral-product-analytics, seed 0: ejected: runnable task stall: prog[12]\\u001b[31m failed" in text
    assert "\x1b" not in text


def test_the_sums_say_how_many_are_ok_and_the_mean_ratio():
    text = text_of(SUITE, RESULTS)
    assert "eevdf  2 of 2 ok, mean 50.0 % of what is possible" in text
    assert "fast   1 of 2 ok, geometric mean 0.28x of EEVDF over 2" in text
    assert "(1 from the cache)" in text


def test_eevdf_alone_is_not_held_against_itself():
    text = text_of(Suite((EEVDF,), (BATCH,)), RESULTS[:1])
    assert "vs EEVDF" not in text
    assert "geometric" not in text


@pytest.mark.parametrize(
    ("value", "text"), [(None, "-"), (13363.87, "13,364"), (2.68499, "2.685"), (0.00012345, "0.0001234"), (0.0, "0")]
)
def test_a_value_is_shown_in_four_digits_or_more(value, text):
    assert value_text(value) == text


def test_columns_say_what_was_tried_and_what_it_gave():
    frame = frame_of(SUITE, RESULTS)
    head = [name for name in frame.columns if "." not in name]
    assert head == ["workload", "scale", "workload_seed", "clock", "cpus", "outcome", "message"]
    assert {"config.policy", "config.slice_us"} == {name for name in frame.columns if name.startswith("config.")}
    assert frame["config.slice_us"].isna().tolist() == [True, False, True, False]
    assert frame["result.makespan_s"].isna().tolist() == [False, False, False, True]
    assert frame["result.ratio"].tolist()[1] == pytest.approx(1.6)


def test_json_is_exact_and_leaves_out_what_is_not_there():
    plain = json.loads(json.dumps(as_plain(SUITE, [result(2.000000000000001)])))
    (row,) = plain["results"]
    assert row["result.value"] == row["result.makespan_s"] == 2.000000000000001
    failed = records_of(SUITE, RESULTS[3:])[0]
    assert not {"result.value", "result.makespan_s", "result.possible"} & failed.keys()
    assert failed["outcome"] == "ejected"
    assert [total["policy"] for total in plain["policies"]] == ["fast"]


@pytest.mark.parametrize(
    ("results", "ending", "begins"),
    [(RESULTS, ".html", b"<!DOCTYPE html>"), (RESULTS, ".svg", b"<svg"), (RESULTS[:1], ".png", b"\x89PNG")],
)
def test_a_picture_is_drawn_of_ratios_or_of_what_is_possible(tmp_path, results, ending, begins):
    path = tmp_path / f"suite{ending}"
    write_plot(results, path)
    content = path.read_bytes()
    assert content.lstrip().startswith(begins)
    if ending == ".html":
        assert b"batch" in content
        assert not re.search(rb'src="http|href="http', content)


def test_where_a_file_can_not_be_written_is_said_before_anything_is_measured(tmp_path):
    check_file(tmp_path / "new.csv")
    for path, says in ((tmp_path, "is a folder"), (tmp_path / "none" / "new.csv", "there is no folder")):
        with pytest.raises(BadInput, match=says):
            check_file(path)


def test_where_there_is_nothing_to_draw_it_says_so(tmp_path):
    with pytest.raises(BadInput, match="nothing to plot"):
        write_plot([RESULTS[2]], tmp_path / "suite.png")
