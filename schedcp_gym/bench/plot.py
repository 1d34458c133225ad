"""Draw the results of a suite: an interactive page (``.html``), or an image (``.png``, ``.svg``, ``.pdf``)."""

import json
import math
import os
import statistics
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from schedcp_gym.bench.result import BenchResult
from schedcp_gym.spec import BadInput

if TYPE_CHECKING:
    import altair as alt

ENDINGS = (".html", ".png", ".svg", ".pdf")
WIDTH = 560
#: Pixels of a bar, and of the gap between workloads.
BAR, GAP = 12, 10
#: Fields that are shown when the mouse points at a bar.
HOVER = ("workload", "policy", "seeds", "metric", "values", "outcome")
#: Pixels of an image for each pixel of the chart.
SHARPNESS = 2


class Embedded(json.JSONEncoder):
    """JSON encoder for a page's script: a name with ``</script>`` in it must not end the script."""

    def encode(self, o: Any) -> str:
        """Return the JSON text of a value with each ``<`` escaped."""
        return super().encode(o).replace("<", "\\u003c")


def check_plot(path: Path | None) -> None:
    """Check that a plot can be written, before hours of measurements.

    Raises:
        BadInput: The suffix is unknown, or the file cannot be written.
    """
    if path is None:
        return
    import altair  # noqa: F401  a missing package is noticed before anything is measured

    if path.suffix not in ENDINGS:
        raise BadInput(f"--plot takes a file that ends in {', '.join(ENDINGS)}, not {str(path)!r}")
    check_file(path)


def check_file(path: Path) -> None:
    """Check that a file can be written.

    Raises:
        BadInput: Its folder does not exist, it is a folder itself, or writing is not allowed.
    """
    if not path.parent.is_dir():
        raise BadInput(f"there is no folder {path.parent} to write {path.name} into")
    if path.is_dir():
        raise BadInput(f"{path} is a folder: name a file in it")
    if not os.access(path if path.exists() else path.parent, os.W_OK):
        raise BadInput(f"{path} cannot be written: permission denied")


def write_plot(results: Sequence[BenchResult], path: Path) -> None:
    """Draw a bar for each workload and policy: the ratio over EEVDF, or the share of the best possible value.

    Raises:
        BadInput: There is nothing to draw.
    """
    chart = _ratios(results) or _shares(results)
    if chart is None:
        raise BadInput("nothing to plot: no policy except EEVDF was ok, and no workload has a known bound")
    save_chart(chart, path)


def save_chart(chart: Any, path: Path) -> None:
    """Write a chart as a page that needs no network (``.html``), or as an image."""
    if path.suffix == ".html":
        chart.save(str(path), inline=True, json_kwds={"cls": Embedded})
    else:
        chart.save(str(path), scale_factor=SHARPNESS)


def _ratios(results: Sequence[BenchResult]) -> "alt.LayerChart | None":
    rewards = _by_bar([(result, result.reward) for result in results if not result.policy.is_eevdf])
    rows = [_row(mine, "ratio", math.exp(statistics.fmean(values))) for mine, values in rewards]
    ratios = [row["ratio"] for row in rows]
    ends = [min(0.8, *ratios), max(1.25, *ratios)] if rows else []
    return _bars(rows, "ratio", "improvement over EEVDF (above 1 is better)", ends, start=1.0) if rows else None


def _shares(results: Sequence[BenchResult]) -> "alt.LayerChart | None":
    shares = _by_bar([(result, result.possible) for result in results])
    rows = [_row(mine, "percent", 100 * statistics.fmean(values)) for mine, values in shares]
    ends = [0.0, max(100.0, *(row["percent"] for row in rows))] if rows else []
    return _bars(rows, "percent", "% of what is possible", ends, start=0.0) if rows else None


def _by_bar(found: Sequence[tuple[BenchResult, float | None]]) -> list[tuple[list[BenchResult], list[float]]]:
    """Return the results of each bar (all seeds of one workload and policy) with their figures."""
    bars: dict[tuple[str, str], tuple[list[BenchResult], list[float]]] = {}
    for result, figure in found:
        if figure is not None:
            mine, figures = bars.setdefault((result.workload.name, result.policy.name), ([], []))
            mine.append(result)
            figures.append(figure)
    return list(bars.values())


def _row(mine: Sequence[BenchResult], name: str, figure: float) -> dict[str, Any]:
    first = mine[0]
    values = [f"{one.value:,.6g}" for one in mine if one.value is not None]
    return {
        "workload": first.workload.name,
        "policy": first.policy.name,
        "seeds": ", ".join(str(one.seed) for one in mine),
        "metric": first.metric,
        "values": f"{', '.join(values)} {first.unit}" if values else "",
        "outcome": ", ".join(sorted({one.measured.outcome.value for one in mine})),
        name: figure,
    }


def _bars(rows: list[dict[str, Any]], field: str, title: str, ends: list[float], *, start: float) -> "alt.LayerChart":
    import altair as alt
    import pandas as pd

    names, policies = ([*dict.fromkeys(row[key] for row in rows)] for key in ("workload", "policy"))
    table = pd.DataFrame(rows).assign(start=start)
    # On a log scale a ratio of 2 is as far from 1 as a ratio of 1/2.
    scale = alt.Scale(type="log", domain=ends, nice=False) if start else alt.Scale(domain=ends)
    hover = [*HOVER, alt.Tooltip(f"{field}:Q", format=".3f")]
    bars = (
        alt.Chart(table)
        .mark_bar()
        .encode(
            x=alt.X(f"{field}:Q", title=title, scale=scale, axis=alt.Axis(format="~g")),
            x2="start:Q",
            y=alt.Y("workload:N", sort=names, title=None, axis=alt.Axis(labelLimit=300)),
            yOffset=alt.YOffset("policy:N", sort=policies),
            color=alt.Color("policy:N", sort=policies, title="policy"),
            tooltip=hover,
        )
    )
    line = alt.Chart(pd.DataFrame({"x": [start or 100.0]})).mark_rule(color="black", strokeDash=[4, 3]).encode(x="x:Q")
    height = len(names) * (len(policies) * BAR + GAP)
    chart: alt.LayerChart = alt.layer(bars, line).properties(width=WIDTH, height=height)  # type: ignore[assignment]
    return chart
