"""Writes the pages: an index of all entries, and a page for each."""

import itertools
import math
import shutil
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from schedcp_gym.run.folder import RunFolder
from schedcp_gym.leaderboard.check import audit
from schedcp_gym.leaderboard.manifest import read_manifest
from schedcp_gym.leaderboard.flaw import Flaw
from schedcp_gym.leaderboard.site.chart import Curve, curve_of
from schedcp_gym.pages import templates
from schedcp_gym.run.summary import best_of
from schedcp_gym.spec import BadInput

if TYPE_CHECKING:
    import jinja2

HERE = Path(__file__).parent
TEMPLATES = HERE / "templates"
STATIC = HERE / "static"
ENTRIES = "entries"
CLOCKS = {"virtual": "Virtual clock", "real": "Real clock"}


@dataclass(frozen=True)
class Policy:
    """A policy that a run has chosen.

    Attributes:
        name: As the run called it.
        sha256: Of its source; empty for EEVDF.
        source: Its source.
        runs: The runs that chose it, with the tunables of each.
    """

    name: str
    sha256: str
    source: str
    runs: list[tuple[str, dict[str, Any]]]


@dataclass(frozen=True)
class Page:
    """What a page of an entry shows.

    Attributes:
        name: The entry's folder.
        manifest: What its ``entry.json`` says.
        policies: Those that its runs chose.
        curves: How each run's search went.
    """

    name: str
    manifest: dict[str, Any]
    policies: list[Policy]
    curves: list[Curve]


def build(entries: Sequence[Path], into: Path) -> tuple[list[Path], dict[Path, list[Flaw]]]:
    """Writes the pages of all entries that pass what can be checked without a machine.

    Args:
        entries: Folders of entries.
        into: Where the pages go: ``index.html``, ``entries/``, a stylesheet and a script.

    Returns:
        The entries that are in it, and the refused ones with the reasons.

    Raises:
        BadInput: The pages can't go there.
    """
    pages: dict[Path, Page] = {}
    refused: dict[Path, list[Flaw]] = {}
    for entry in entries:
        refusals, runs = audit(entry)
        if refusals:
            refused[entry] = refusals
        else:
            taken = {page.name for page in pages.values()}
            pages[entry] = _page(entry, runs, _free_name(entry.resolve().name, taken))
    write_pages(list(pages.values()), into)
    return list(pages), refused


def write_pages(pages: Sequence[Page], into: Path) -> None:
    """Writes the index and a page for each entry; pages of entries that are gone go.

    Args:
        pages: What they show.
        into: Where they go.

    Raises:
        BadInput: They can't go there.
    """
    environment = _environment()
    try:
        (into / ENTRIES).mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise BadInput(f"the pages can't go into {into}: {error.strerror}") from None
    for stale in (into / ENTRIES).glob("*.html"):
        stale.unlink()
    for file in sorted(STATIC.iterdir()):
        shutil.copyfile(file, into / file.name)
    shown = sorted(pages, key=lambda page: -page.manifest["score"]["iqm"])
    tables = [(title, mine) for clock, title in CLOCKS.items() if (mine := _of_clock(shown, clock))]
    facets = {name: _values(shown, name) for name in ("suite", "family", "model", "budget")}
    (into / "index.html").write_text(environment.get_template("index.html").render(tables=tables, facets=facets))
    template = environment.get_template("entry.html")
    for page in shown:
        (into / ENTRIES / f"{page.name}.html").write_text(template.render(page=page, entry=page.manifest))


def facet(page: Page, name: str) -> str:
    """A word by which entries are filtered."""
    manifest = page.manifest
    if name == "budget":
        return budget_text(manifest["budget"])
    found = manifest["agent"]["family"] if name == "family" else manifest[name]
    return str(found or "none")


def budget_text(budget: dict[str, float]) -> str:
    """A budget in words."""
    return ", ".join(f"{value:g} {name.replace('_', ' ')}" for name, value in budget.items()) or "none"


def _values(pages: Iterable[Page], name: str) -> list[str]:
    return sorted({facet(page, name) for page in pages})


def _of_clock(pages: Iterable[Page], clock: str) -> list[Page]:
    return [page for page in pages if page.manifest["clock"] == clock]


def _free_name(name: str, taken: set[str]) -> str:
    """Entries of different folders may be called alike: the page of one must not take the other's place."""
    numbers = (f"{name}-{number}" for number in itertools.count(2))
    return next(one for one in itertools.chain([name], numbers) if one not in taken)


def _page(entry: Path, runs: Sequence[RunFolder], name: str) -> Page:
    policies: dict[str, Policy] = {}
    for run in runs:
        best = best_of(run.record)
        if best:
            sha256 = best["source_sha256"]
            found = policies.setdefault(sha256, Policy(best["policy"], sha256, run.policy_of(best).source, []))
            found.runs.append((f"{run.workload.name}, seed {run.settings.seed}", best["tunables"]))
    return Page(name, read_manifest(entry), list(policies.values()), [curve_of(run) for run in runs])


def _environment() -> "jinja2.Environment":
    environment = templates(TEMPLATES)
    environment.filters |= {
        "times": lambda score: "–" if score is None else f"{math.exp(score):.3f}×",
        "count": lambda value: "–" if value is None else f"{value:,.0f}",
        "usd": lambda value: "unknown" if value is None else f"{value:,.4f}",
        "budget": budget_text,
    }
    environment.globals |= {"facet": facet}
    return environment
