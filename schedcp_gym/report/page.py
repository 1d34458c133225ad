"""Write the page: one file that needs no other."""

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
#: Length of the section of a timeline that is drawn: short enough to see single slices.
STRETCH_US = 100_000.0


@dataclass(frozen=True)
class Drawn:
    """A run and its charts, as HTML."""

    found: Found
    curve: Markup
    latencies: list[tuple[str, Markup]]
    timeline: Markup | None
    caches: CacheCosts | None


def write_report(runs: Sequence[Found], path: Path, timelines: Mapping[Path, Sequence[Timeline]]) -> None:
    """Write the page about some runs, as :func:`render` returns it."""
    write_whole(path, render(runs, timelines))


def render(runs: Sequence[Found], timelines: Mapping[Path, Sequence[Timeline]] = types.MappingProxyType({})) -> str:
    """Return the page about some runs, as HTML.

    Args:
        runs: The runs.
        timelines: Timelines of EEVDF and of the best policy, by the run's folder. Runs may be left out.
    """
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
    return page.render(runs=drawn, timelines=timelines, style=Markup(style), script=Markup(charts.script()))


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
