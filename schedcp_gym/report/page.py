"""Writes the page: one file with all that it needs."""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import jinja2
from markupsafe import Markup

from schedcp_gym.envs.render import times_text, tunables_text
from schedcp_gym.report import charts
from schedcp_gym.report.found import Found
from schedcp_gym.run.heldout import Interval
from schedcp_gym.run.record import write_whole

TEMPLATES = Path(__file__).parent / "templates"


@dataclass(frozen=True)
class Drawn:
    """A run and its drawings."""

    found: Found
    curve: Markup
    latencies: list[tuple[str, Markup]]


def write_report(folders: Sequence[Path], path: Path) -> None:
    """Writes the page about some runs.

    Args:
        folders: Runs' folders.
        path: The page.

    Raises:
        SchedcpError: A run's file is missing or damaged.
    """
    write_whole(path, render([Found(folder) for folder in folders]))


def render(runs: Sequence[Found]) -> str:
    """The page about some runs."""
    from plotly.offline import get_plotlyjs

    environment = jinja2.Environment(
        loader=jinja2.FileSystemLoader(TEMPLATES),
        autoescape=True,  # sources and names are anybody's text
        undefined=jinja2.StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters |= {
        "times": times_text,
        "span": _span,
        "number": lambda value: f"{value:,.3f}" if math.isfinite(value) else "–",
        "settings": lambda tunables: tunables_text(list(tunables.items())) or "defaults",
    }
    style = (TEMPLATES / "style.css").read_text()
    drawn = [_draw(found, number) for number, found in enumerate(runs, 1)]
    page = environment.get_template("report.html")
    return page.render(runs=drawn, style=Markup(style), plotly=Markup(get_plotlyjs()))


def _draw(found: Found, number: int) -> Drawn:
    latencies = [
        (each.name, Markup(charts.as_html(charts.latency(each), f"latency-{number}-{place}")))
        for place, each in enumerate(found.percentiles, 1)
    ]
    return Drawn(found, Markup(charts.as_html(charts.learning_curve(found), f"curve-{number}")), latencies)


def _span(gained: Interval) -> str:
    return f"{times_text(gained.low)} to {times_text(gained.high)}"
