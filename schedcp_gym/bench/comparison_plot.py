"""Draw a comparison of agents: scores with intervals, performance profiles and learning curves."""

import math
from pathlib import Path
from typing import TYPE_CHECKING, Any

from schedcp_gym.bench.comparison import CONTROL, Comparison, curves, profiles
from schedcp_gym.bench.plot import WIDTH, save_chart

if TYPE_CHECKING:
    import altair as alt

HEIGHT = 240
#: Up to this number of agents, a palette of clearly different colours is used.
FEW = 10
#: Height of an agent's row in pixels.
ROW = 24
AXES = {
    "evaluations": "evaluations",
    "virtual_s": "guest seconds of the search",
    "tokens": "tokens of the language model",
    "usd": "dollars of the language model",
}


def write_comparison(comparison: Comparison, path: Path) -> None:
    """Draw a comparison as a page that needs no network (``.html``), or as an image (``.png``, ``.svg``, ``.pdf``)."""
    import altair as alt

    panels: list[Any] = [_intervals(comparison), _profile(comparison)]
    rows = curves(comparison)
    drawn = {title: [row for row in rows if row["by"] == by] for by, title in AXES.items()}
    panels += [_curve(comparison, mine, title) for title, mine in drawn.items() if mine]
    chart = alt.vconcat(*panels).resolve_scale(color="shared")
    save_chart(chart, path)


def _intervals(comparison: Comparison) -> "alt.LayerChart":
    import altair as alt
    import pandas as pd

    rows = [_interval_row(one.agent, one.iqm, one.runs) for one in comparison.figures]
    order = comparison.agents
    if comparison.control:
        rows.append(_interval_row(CONTROL, comparison.control.iqm, comparison.control.pairs))
        order = [*order, CONTROL]
    base = alt.Chart(pd.DataFrame(rows)).encode(y=alt.Y("agent:N", sort=order, title=None))
    x = alt.X("ratio:Q", title="interquartile mean of improvement over EEVDF", scale=_log_scale())
    hover = ["agent", "runs", *(alt.Tooltip(f"{name}:Q", format=".3f") for name in ("ratio", "low", "high"))]
    bars = base.mark_rule(strokeWidth=3).encode(x="low:Q", x2="high:Q")
    points = base.mark_point(filled=True, size=80).encode(x=x, tooltip=hover)
    line = alt.Chart(pd.DataFrame({"x": [1.0]})).mark_rule(color="black", strokeDash=[4, 3]).encode(x="x:Q")
    chart: alt.LayerChart = alt.layer(bars, points, line).properties(width=WIDTH, height=ROW * len(rows))  # type: ignore[assignment]
    return chart


def _log_scale() -> "alt.Scale":
    """Return a scale on which a ratio of 2 is as far from 1 as a ratio of 1/2."""
    import altair as alt

    return alt.Scale(type="log", zero=False, nice=False)


def _interval_row(agent: str, estimate: Any, runs: int) -> dict[str, Any]:
    ends = {"ratio": estimate.value, "low": estimate.low, "high": estimate.high}
    plain = {name: math.exp(estimate.value if math.isnan(end) else end) for name, end in ends.items()}
    return {"agent": agent, "runs": runs, **plain}


def _profile(comparison: Comparison) -> "alt.Chart":
    import altair as alt
    import pandas as pd

    chart: alt.Chart = (
        alt.Chart(pd.DataFrame(profiles(comparison)))
        .mark_line(interpolate="step-after")
        .encode(
            x=alt.X("ratio:Q", title="improvement over EEVDF", scale=_log_scale()),
            y=alt.Y("share:Q", title="share of runs above", axis=alt.Axis(format="%"), scale=alt.Scale(domain=[0, 1])),
            color=_colour(comparison),
            tooltip=["agent", alt.Tooltip("ratio:Q", format=".3f"), alt.Tooltip("share:Q", format=".0%")],
        )
        .properties(width=WIDTH, height=HEIGHT)
    )
    return chart


def _colour(comparison: Comparison) -> "alt.Color":
    import altair as alt

    agents = comparison.agents
    scale = alt.Scale(domain=agents, scheme="tableau10" if len(agents) <= FEW else "tableau20")
    return alt.Color("agent:N", sort=agents, scale=scale)


def _curve(comparison: Comparison, rows: list[dict[str, Any]], title: str) -> "alt.Chart":
    import altair as alt
    import pandas as pd

    chart: alt.Chart = (
        alt.Chart(pd.DataFrame(rows))
        .mark_line(interpolate="step-after", point=rows[0]["by"] == "evaluations")
        .encode(
            x=alt.X("at:Q", title=title),
            y=alt.Y("best_ratio:Q", title="best so far, in the search", scale=_log_scale()),
            color=_colour(comparison),
            tooltip=["agent", "at", alt.Tooltip("best_ratio:Q", format=".3f")],
        )
        .properties(width=WIDTH, height=HEIGHT)
    )
    return chart
