"""Drawings of a run, with plotly: what they show is in the page's tables, too."""

import math
from collections.abc import Sequence
from typing import TYPE_CHECKING

from schedcp_gym.envs.render import tunables_text
from schedcp_gym.report.found import Found, Percentiles
from schedcp_gym.report.timeline import Timeline
from schedcp_gym.run.scores import steps_of
from schedcp_gym.spec import REWARD_LIMIT

if TYPE_CHECKING:
    import plotly.graph_objects as go

EEVDF, BEST, EACH = "#767676", "#0b57a4", "#c2571a"
HEIGHT = 340
#: Process names with a colour of their own (Okabe and Ito's palette, for all eyes), those that run longest.
COLOURS = ("#0072B2", "#E69F00", "#009E73", "#D55E00", "#CC79A7", "#56B4E9", "#8C8C00", "#9467BD")
OTHERS = "#8a8a8a"
#: Strengths that tell threads of one name apart.
SHADES = (1.0, 0.4, 0.75, 0.55)
ROW_PX = 46


def learning_curve(found: Found) -> "go.Figure":
    """Each evaluation's improvement over EEVDF, and the best so far; what failed is at the bottom."""
    import plotly.graph_objects as go

    done = [(place, entry) for place, entry in enumerate(found.evaluations, 1) if entry["outcome"] == "ok"]
    failed = [(place, entry) for place, entry in enumerate(found.evaluations, 1) if entry["outcome"] != "ok"]
    floor = min([0.9, *(math.exp(entry["reward"]) * 0.95 for _place, entry in done)])
    figure = go.Figure()
    steps = [
        (step.evaluations, math.exp(step.best)) for step in steps_of(found.run.record) if step.best > -REWARD_LIMIT
    ]
    figure.add_scatter(
        x=[place for place, _best in steps],
        y=[best for _place, best in steps],
        name="best so far",
        line={"shape": "hv", "color": BEST},
    )
    for name, entries, symbol in (("evaluation", done, "circle"), ("failed", failed, "x")):
        figure.add_scatter(
            x=[place for place, _entry in entries],
            y=[math.exp(entry["reward"]) if entry["outcome"] == "ok" else floor for _place, entry in entries],
            text=[
                f"{e['policy']} {tunables_text(list(e['tunables'].items()))}: {e['outcome']}" for _place, e in entries
            ],
            name=name,
            mode="markers",
            marker={"symbol": symbol, "color": EACH, "size": 9},
            visible=True if entries else "legendonly",
        )
    figure.add_hline(y=1, line={"dash": "dash", "color": EEVDF}, annotation_text="EEVDF")
    figure.update_xaxes(title="evaluations", rangemode="tozero", dtick=max(1, len(found.evaluations) // 12))
    figure.update_yaxes(title="improvement over EEVDF")
    return _styled(figure)


def latency(percentiles: Percentiles) -> "go.Figure":
    """A latency's distribution, as far as the workload's percentiles tell it."""
    import plotly.graph_objects as go

    figure = go.Figure()
    for name, points, colour in (("EEVDF", percentiles.eevdf, EEVDF), ("best", percentiles.best, BEST)):
        figure.add_scatter(
            x=[us for _share, us in points],
            y=[_nines(share) for share, _us in points],
            text=[f"{100 * share:g} %" for share, _us in points],
            name=name,
            mode="lines+markers",
            line={"color": colour},
        )
    shares = [share for share, _us in percentiles.eevdf]
    figure.update_xaxes(title=f"{percentiles.name} latency (us)", type="log", dtick="D2", tickformat=",")
    figure.update_yaxes(
        title="share that is no later",
        tickvals=[_nines(share) for share in shares],
        ticktext=[f"{100 * share:g} %" for share in shares],
    )
    return _styled(figure)


def timeline(timelines: Sequence[Timeline], window_us: float) -> "go.Figure":
    """Who ran on which CPU, in a stretch from the middle of each run."""
    import plotly.graph_objects as go

    figure = go.Figure()
    shown = {line.label: line.middle(window_us) for line in timelines}
    busy: dict[str, float] = {}
    for one in (one for slices in shown.values() for one in slices):
        busy[one.name] = busy.get(one.name, 0.0) + one.lasts_us
    named = sorted(busy, key=lambda name: (-busy[name], name))[: len(COLOURS)]
    for name in [*named, ""]:
        rows = [
            (f"{label}<br>CPU {one.cpu}", one)
            for label, slices in shown.items()
            for one in slices
            if (one.name == name if name else one.name not in named)
        ]
        if rows:
            figure.add_bar(
                orientation="h",
                y=[row for row, _slice in rows],
                x=[one.lasts_us / 1000 for _row, one in rows],
                base=[one.begins_us / 1000 for _row, one in rows],
                text=[f"{one.name} ({one.pid})" for _row, one in rows],
                name=name or "others",
                textposition="none",
                marker={
                    "color": COLOURS[named.index(name)] if name else OTHERS,
                    "opacity": _shades([one.pid for _row, one in rows]),
                    "line": {"width": 0},
                },
                hovertemplate="%{text}: %{x:.3f} ms from %{base:.3f} ms<extra></extra>",
            )
    rows_shown = [f"{line.label}<br>CPU {cpu}" for line in timelines for cpu in range(line.cpus)]
    _styled(figure).update_layout(
        barmode="overlay", bargap=0.25, showlegend=True, height=130 + ROW_PX * len(rows_shown)
    )
    figure.update_yaxes(categoryorder="array", categoryarray=rows_shown[::-1], automargin=True)
    figure.update_xaxes(title="time in this stretch (ms)")
    return figure


def _shades(pids: Sequence[int]) -> list[float]:
    places = {pid: place for place, pid in enumerate(sorted(set(pids)))}
    return [SHADES[places[pid] % len(SHADES)] for pid in pids]


def as_html(figure: "go.Figure", identity: str) -> str:
    """A figure as a part of a page that has plotly's script already."""
    html: str = figure.to_html(
        full_html=False, include_plotlyjs=False, div_id=identity, config={"displaylogo": False, "responsive": True}
    )
    return html


def _nines(share: float) -> float:
    """Where a share stands on an axis that gives each further nine the same room."""
    return -math.log10(1 - share)


def _styled(figure: "go.Figure") -> "go.Figure":
    figure.update_layout(
        template="plotly_white", height=HEIGHT, margin={"l": 60, "r": 20, "t": 20, "b": 50}, legend={"orientation": "h"}
    )
    return figure
