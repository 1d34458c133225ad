"""Writes the page: one file with all that it needs."""

import math
import types
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from markupsafe import Markup

from schedcp_gym.envs.render import times_text, tunables_text
from schedcp_gym.files import write_whole
from schedcp_gym.pages import templates
from schedcp_gym.report import charts
from schedcp_gym.report.caches import CacheCosts, cache_costs
from schedcp_gym.report.found import Found
from schedcp_gym.report.timeline import Timeline
from schedcp_gym.run.heldout import Interval

TEMPLATES = Path(__file__).parent / "templates"
#: What is shown of a timeline: a stretch in which single slices can be told apart.
STRETCH_US = 100_000.0


@dataclass(frozen=True)
class Drawn:
    """A run and its drawings."""

    found: Found
    curve: Markup
    latencies: list[tuple[str, Markup]]
    timeline: Markup | None
    caches: CacheCosts | None


def write_report(runs: Sequence[Found], path: Path, timelines: Mapping[Path, Sequence[Timeline]]) -> None:
    """Writes the page about some runs, as :func:`render` makes it."""
    write_whole(path, render(runs, timelines))


def render(runs: Sequence[Found], timelines: Mapping[Path, Sequence[Timeline]] = types.MappingProxyType({})) -> str:
    """The page about some runs.

    Args:
        runs: The runs.
        timelines: Of EEVDF and the best, by the run's folder; for none, some or all of them.
    """
    from plotly.offline import get_plotlyjs

    environment = templates(TEMPLATES)
    environment.filters |= {
        "times": times_text,
        "span": _span,
        "number": lambda value: f"{value:,.3f}" if math.isfinite(value) else "–",
        "settings": lambda tunables: tunables_text(list(tunables.items())) or "defaults",
    }
    style = (TEMPLATES / "style.css").read_text()
    drawn = [_draw(found, number, timelines.get(found.run.path, ())) for number, found in enumerate(runs, 1)]
    page = environment.get_template("report.html")
    return page.render(runs=drawn, timelines=timelines, style=Markup(style), plotly=Markup(get_plotlyjs()))


def _draw(found: Found, number: int, lines: Sequence[Timeline]) -> Drawn:
    latencies = [
        (each.name, Markup(charts.as_html(charts.latency(each), f"latency-{number}-{place}")))
        for place, each in enumerate(found.percentiles, 1)
    ]
    curve = Markup(charts.as_html(charts.learning_curve(found), f"curve-{number}"))
    timeline = Markup(charts.as_html(charts.timeline(lines, STRETCH_US), f"timeline-{number}")) if lines else None
    return Drawn(found, curve, latencies, timeline, cache_costs(found))


def _span(gained: Interval) -> str:
    return f"{times_text(gained.low)} to {times_text(gained.high)}"
