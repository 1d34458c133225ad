"""Write the pages: an index of all entries, and a page for each entry."""

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
class ChosenPolicy:
    """A policy that runs have chosen.

    Attributes:
        name: Its name in the first of the runs.
        sha256: SHA-256 of its source; empty for EEVDF.
        source: Its source.
        runs: The runs that chose it, each with the values of its tunables.
    """

    name: str
    sha256: str
    source: str
    runs: list[tuple[str, dict[str, Any]]]


@dataclass(frozen=True)
class EntryPage:
    """The content of an entry's page.

    Attributes:
        name: Name of the page's file, from the entry's folder.
        manifest: Content of its ``entry.json``.
        policies: Policies that its runs chose.
        curves: Learning curves of its runs.
    """

    name: str
    manifest: dict[str, Any]
    policies: list[ChosenPolicy]
    curves: list[Curve]


def build(entries: Sequence[Path], into: Path) -> tuple[list[Path], dict[Path, list[Flaw]]]:
    """Write the pages of all entries that pass the checks that need no machine.

    Args:
        entries: Folders of entries.
        into: Folder of the pages: ``index.html``, ``entries/``, a stylesheet and a script.

    Returns:
        The entries that have pages, and the refused entries with the reasons.

    Raises:
        BadInput: The folder can't be made.
    """
    pages: dict[Path, EntryPage] = {}
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


def write_pages(pages: Sequence[EntryPage], into: Path) -> None:
    """Write the index and a page for each entry, and delete pages of entries that are not there any more.

    Args:
        pages: The pages' content.
        into: Folder of the pages.

    Raises:
        BadInput: The folder can't be made.
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


def facet(page: EntryPage, name: str) -> str:
    """Return the value of an entry for one of the page's filters."""
    manifest = page.manifest
    if name == "budget":
        return budget_text(manifest["budget"])
    found = manifest["agent"]["family"] if name == "family" else manifest[name]
    return str(found or "none")


def budget_text(budget: dict[str, float]) -> str:
    """Return a budget as a text."""
    return ", ".join(f"{value:g} {name.replace('_', ' ')}" for name, value in budget.items()) or "none"


def _values(pages: Iterable[EntryPage], name: str) -> list[str]:
    return sorted({facet(page, name) for page in pages})


def _of_clock(pages: Iterable[EntryPage], clock: str) -> list[EntryPage]:
    return [page for page in pages if page.manifest["clock"] == clock]


def _free_name(name: str, taken: set[str]) -> str:
    """Return a name that no other page has: entries in different folders may have the same name."""
    numbers = (f"{name}-{number}" for number in itertools.count(2))
    return next(one for one in itertools.chain([name], numbers) if one not in taken)


def _page(entry: Path, runs: Sequence[RunFolder], name: str) -> EntryPage:
    policies: dict[str, ChosenPolicy] = {}
    for run in runs:
        best = best_of(run.record)
        if best:
            sha256 = best["source_sha256"]
            found = policies.setdefault(sha256, ChosenPolicy(best["policy"], sha256, run.policy_of(best).source, []))
            found.runs.append((f"{run.workload.name}, seed {run.settings.seed}", best["tunables"]))
    return EntryPage(name, read_manifest(entry), list(policies.values()), [curve_of(run) for run in runs])


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
