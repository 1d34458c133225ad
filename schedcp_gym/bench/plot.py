"""A suite as a picture: a page to look into (``.html``), or an image (``.png``, ``.svg``, ``.pdf``)."""

import json
import math
import os
import statistics
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from schedcp_gym.bench.result import Result
from schedcp_gym.spec import BadInput

if TYPE_CHECKING:
    import altair as alt

ENDINGS = (".html", ".png", ".svg", ".pdf")
WIDTH = 560
#: Pixels of a bar, and of the space that a workload's bars have around them.
BAR, GAP = 12, 10
#: What a bar says under the pointer, before its figure.
TOLD = ("workload", "policy", "seeds", "metric", "values", "outcome")
#: Pixels of an image for each of the chart's.
SHARPNESS = 2


class Embedded(json.JSONEncoder):
    """JSON for a page's script: names are anybody's, and ``</script>`` in one would end the script."""

    def encode(self, o: Any) -> str:
        """As text in which no tag can begin; it is the same value."""
        return super().encode(o).replace("<", "\\u003c")


def check_path(path: Path) -> None:
    """Checks that a picture can be written there, before hours of measuring.

    Raises:
        BadInput: Another ending, or a folder that does not exist.
    """
    if path.suffix not in ENDINGS:
        raise BadInput(f"--plot takes a file that ends in {', '.join(ENDINGS)}, not {str(path)!r}")
    check_file(path)


def check_file(path: Path) -> None:
    """Checks that a file can be written where it is wanted.

    Raises:
        BadInput: There is no such folder, it is one itself, or writing is not allowed.
    """
    if not path.parent.is_dir():
        raise BadInput(f"there is no folder {path.parent} to write {path.name} into")
    if path.is_dir():
        raise BadInput(f"{path} is a folder: name a file in it")
    if not os.access(path if path.exists() else path.parent, os.W_OK):
        raise BadInput(f"{path} can't be written: permission denied")


def write_plot(results: Sequence[Result], path: Path) -> None:
    """Draws a bar for each workload and policy: the ratio over EEVDF, or else the share of what is possible.

    Raises:
        BadInput: There is nothing to draw.
    """
    chart = _ratios(results) or _shares(results)
    if chart is None:
        raise BadInput("nothing to plot: no policy but EEVDF was ok, and no workload with a known bound")
    if path.suffix == ".html":
        chart.save(str(path), inline=True, json_kwds={"cls": Embedded})  # whole in itself: the browser fetches nothing
    else:
        chart.save(str(path), scale_factor=SHARPNESS)


def _ratios(results: Sequence[Result]) -> "alt.LayerChart | None":
    rewards = _by_bar([(result, result.reward) for result in results if not result.policy.is_eevdf])
    rows = [_row(mine, "ratio", math.exp(statistics.fmean(values))) for mine, values in rewards]
    ratios = [row["ratio"] for row in rows]
    ends = [min(0.8, *ratios), max(1.25, *ratios)] if rows else []
    return _bars(rows, "ratio", "improvement over EEVDF (above 1 is better)", ends, start=1.0) if rows else None


def _shares(results: Sequence[Result]) -> "alt.LayerChart | None":
    shares = _by_bar([(result, result.possible) for result in results])
    rows = [_row(mine, "percent", 100 * statistics.fmean(values)) for mine, values in shares]
    ends = [0.0, max(100.0, *(row["percent"] for row in rows))] if rows else []
    return _bars(rows, "percent", "% of what is possible", ends, start=0.0) if rows else None


def _by_bar(found: Sequence[tuple[Result, float | None]]) -> list[tuple[list[Result], list[float]]]:
    """The results that share a bar, with their figures: the seeds of one workload and policy."""
    bars: dict[tuple[str, str], tuple[list[Result], list[float]]] = {}
    for result, figure in found:
        if figure is not None:
            mine, figures = bars.setdefault((result.workload.name, result.policy.name), ([], []))
            mine.append(result)
            figures.append(figure)
    return list(bars.values())


def _row(mine: Sequence[Result], name: str, figure: float) -> dict[str, Any]:
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
    # A ratio of 2 is as much as one of 1/2.
    scale = alt.Scale(type="log", domain=ends, nice=False) if start else alt.Scale(domain=ends)
    told = [*TOLD, alt.Tooltip(f"{field}:Q", format=".3f")]
    bars = (
        alt.Chart(table)
        .mark_bar()
        .encode(
            x=alt.X(f"{field}:Q", title=title, scale=scale, axis=alt.Axis(format="~g")),
            x2="start:Q",
            y=alt.Y("workload:N", sort=names, title=None, axis=alt.Axis(labelLimit=300)),
            yOffset=alt.YOffset("policy:N", sort=policies),
            color=alt.Color("policy:N", sort=policies, title="policy"),
            tooltip=told,
        )
    )
    line = alt.Chart(pd.DataFrame({"x": [start or 100.0]})).mark_rule(color="black", strokeDash=[4, 3]).encode(x="x:Q")
    height = len(names) * (len(policies) * BAR + GAP)
    chart: alt.LayerChart = alt.layer(bars, line).properties(width=WIDTH, height=height)  # type: ignore[assignment]
    return chart
