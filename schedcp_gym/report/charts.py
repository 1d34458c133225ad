"""Charts of a run. Their figures are also in the page's tables, except for the timeline's."""

import json
import math
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from schedcp_gym.bench.plot import Embedded
from schedcp_gym.envs.render import tunables_text
from schedcp_gym.report.found import Found, Percentiles
from schedcp_gym.report.timeline import Timeline
from schedcp_gym.run.scores import steps_of
from schedcp_gym.spec import REWARD_LIMIT

if TYPE_CHECKING:
    import altair as alt

EEVDF, BEST, EACH = "#767676", "#0b57a4", "#c2571a"
HEIGHT = 260
#: Colours of the process names with the most CPU time (Okabe and Ito's palette for colour-blind people).
COLOURS = ("#0072B2", "#E69F00", "#009E73", "#D55E00", "#CC79A7", "#56B4E9", "#8C8C00", "#9467BD")
OTHERS = "#8a8a8a"
#: Opacities that distinguish threads of one name.
SHADES = (1.0, 0.4, 0.75, 0.55)
ROW_PX = 46


def learning_curve(found: Found) -> "alt.LayerChart":
    """Return the improvement of each evaluation over EEVDF, and of the best so far. Failed ones are at the bottom."""
    import altair as alt

    done = [math.exp(entry["reward"]) for entry in found.evaluations if entry["outcome"] == "ok"]
    floor = min([0.9, *(0.95 * ratio for ratio in done)])
    steps = [
        {"number": step.evaluations, "ratio": math.exp(step.best), "what": "best so far"}
        for step in steps_of(found.run.record)
        if step.best > -REWARD_LIMIT
    ]
    each = [
        {
            "number": number,
            "ratio": math.exp(entry["reward"]) if entry["outcome"] == "ok" else floor,
            "what": "evaluation" if entry["outcome"] == "ok" else "failed",
            "policy": f"{entry['policy']} {tunables_text(list(entry['tunables'].items()))}".strip(),
            "outcome": entry["outcome"],
        }
        for number, entry in enumerate(found.evaluations, 1)
    ]
    names = ["best so far", "evaluation", "failed"]
    colour = alt.Color("what:N", title=None, scale=alt.Scale(domain=names, range=[BEST, EACH, EACH]))
    shape = alt.Shape("what:N", title=None, scale=alt.Scale(domain=names, range=["stroke", "circle", "cross"]))
    whole = alt.Axis(tickMinStep=1, format="d")
    x = alt.X("number:Q", title="evaluations", axis=whole, scale=alt.Scale(zero=True, nice=False))
    y = alt.Y("ratio:Q", title="improvement over EEVDF", scale=alt.Scale(zero=False, padding=8))
    tips = [alt.Tooltip("number:Q"), alt.Tooltip("ratio:Q", title="improvement", format=".3f")]
    line = alt.Chart(_data(steps)).mark_line(interpolate="step-after").encode(x, y, colour, tooltip=tips)
    points = alt.Chart(_data(each)).mark_point(filled=True, size=80, opacity=1)
    points = points.encode(x, y, colour, shape, tooltip=["policy:N", "outcome:N", *tips])
    one = alt.Chart(_data([{"ratio": 1.0, "name": "EEVDF"}])).encode(y=y)
    rule = one.mark_rule(color=EEVDF, strokeDash=[6, 4])
    label = one.mark_text(color=EEVDF, align="left", dx=4, dy=-7).encode(x=alt.value(0), text="name:N")
    chart: alt.LayerChart = _styled(alt.layer(rule, label, line, points))
    return chart


def latency(percentiles: Percentiles) -> "alt.Chart":
    """Return the distribution of a latency at the percentiles that the workload reports."""
    import altair as alt

    rows = [
        {"policy": name, "latency_us": us, "share": f"{100 * share:g} %", "nines": _nines(share)}
        for name, points in (("EEVDF", percentiles.eevdf), ("best", percentiles.best))
        for share, us in points
    ]
    ticks = [_nines(share) for share, _us in percentiles.eevdf]
    percent = alt.Axis(values=ticks, labelExpr="format(100 * (1 - pow(10, -datum.value)), '~g') + ' %'")
    chart: alt.Chart = _styled(
        alt.Chart(_data(rows))
        .mark_line(point={"size": 60})
        .encode(
            x=alt.X(
                "latency_us:Q",
                title=f"{percentiles.name} latency (us)",
                scale=alt.Scale(type="log", nice=False),
                axis=alt.Axis(format=",", tickCount=8, labelOverlap="greedy"),
            ),
            y=alt.Y("nines:Q", title="share that is no later", axis=percent),
            color=alt.Color("policy:N", title=None, scale=alt.Scale(domain=["EEVDF", "best"], range=[EEVDF, BEST])),
            order="nines:Q",
            tooltip=["policy:N", "share:N", alt.Tooltip("latency_us:Q", title="latency (us)", format=",.1f")],
        )
    )
    return chart


def timeline(timelines: Sequence[Timeline], window_us: float) -> "alt.Chart":
    """Return which task ran on which CPU, in a section from the middle of each run.

    Args:
        timelines: The recorded runs.
        window_us: Length of the section.
    """
    import altair as alt

    shown = {line.label: line.middle(window_us) for line in timelines}
    busy: dict[str, float] = {}
    for one in (one for slices in shown.values() for one in slices):
        busy[one.name] = busy.get(one.name, 0.0) + one.lasts_us
    named = sorted(busy, key=lambda name: (-busy[name], name))[: len(COLOURS)]
    pids = {name: sorted({one.pid for own in shown.values() for one in own if one.name == name}) for name in busy}
    rows = [
        {
            "row": f"{label}\nCPU {one.cpu}",
            "from_ms": one.begins_us / 1000,
            "to_ms": one.ends_us / 1000,
            "lasts_ms": one.lasts_us / 1000,
            "task": f"{one.name} ({one.pid})",
            "name": one.name if one.name in named else "others",
            "shade": SHADES[pids[one.name].index(one.pid) % len(SHADES)],
        }
        for label, slices in shown.items()
        for one in slices
    ]
    order = [f"{line.label}\nCPU {cpu}" for line in timelines for cpu in range(line.cpus)]
    others = ["others"] if len(busy) > len(named) else []
    colours = alt.Scale(domain=[*named, *others], range=[*COLOURS[: len(named)], *(OTHERS for _ in others)])
    times = [
        alt.Tooltip(f"{name}:Q", title=f"{name.removesuffix('_ms')} (ms)", format=".3f")
        for name in ("lasts_ms", "from_ms")
    ]
    chart: alt.Chart = _styled(
        alt.Chart(_data(rows))
        .mark_bar(height={"band": 0.8})
        .encode(
            x=alt.X("from_ms:Q", title="time in this section (ms)"),
            x2="to_ms:Q",
            y=alt.Y(
                "row:N",
                title=None,
                scale=alt.Scale(domain=order),
                axis=alt.Axis(labelExpr="split(datum.label, '\\n')", labelLimit=300),
            ),
            color=alt.Color("name:N", title=None, scale=colours),
            opacity=alt.Opacity("shade:Q", scale=None),
            tooltip=["task:N", *times],
        ),
        height=ROW_PX * len(order),
    )
    return chart


def as_html(chart: Any, identity: str) -> str:
    """Return a chart as a part of a page that has :func:`script` before it.

    Args:
        chart: A chart of altair.
        identity: The element's ``id``, unique in the page.
    """
    spec = json.dumps(chart.to_dict(), cls=Embedded)
    options = '{"actions": false, "renderer": "svg"}'
    return f'<div id="{identity}" class="chart"></div><script>vegaEmbed("#{identity}", {spec}, {options});</script>'


def script() -> str:
    """Return the program that draws the charts of a page, without any use of the network."""
    import vl_convert

    bundle: str = vl_convert.javascript_bundle()  # type: ignore[call-arg]  # its stub asks for an optional argument
    return bundle


def _data(rows: list[dict[str, Any]]) -> Any:
    """Return rows as data of a chart. A data frame may not have more than 5,000 rows, this may."""
    import altair as alt

    return alt.Data(values=rows)  # type: ignore[no-untyped-call]


def _nines(share: float) -> float:
    """Return the place of a share on an axis on which each further nine has the same length."""
    return -math.log10(1 - share)


def _styled(chart: Any, height: int = HEIGHT) -> Any:
    legend = {"orient": "top", "labelFontSize": 12, "labelLimit": 300, "symbolOpacity": 1}
    sized = chart.properties(width="container", height=height, autosize={"type": "fit-x", "contains": "padding"})
    return sized.configure_legend(**legend).configure_axis(labelFontSize=12, titleFontSize=12)
