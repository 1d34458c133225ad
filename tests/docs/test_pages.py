"""What a reader can rely on in every page: its length of lines, its beginning, its place in the navigation."""

import re

import pytest
import yaml

from tests.docs.commands import PAGES, ROOT

README_WORDS = 800
LINE_CHARACTERS = 120
KINDS = ["Tutorials", "How-to guides", "Reference", "Explanation"]
#: Pages whose address is in the comments of recorded workloads: they cannot move into the folder of their kind.
FIXED = {"cache-model.md": "Explanation", "footprints.md": "Reference"}
WRITTEN = [*PAGES, ROOT / "CHANGELOG.md", ROOT / "results" / "README.md"]


def ids(path):
    return str(path.relative_to(ROOT))


def addresses(nav):
    """Return the pages of a part of the navigation, in order."""
    if isinstance(nav, str):
        return [nav]
    parts = nav if isinstance(nav, list) else nav.values()
    return [address for part in parts for address in addresses(part)]


@pytest.fixture(scope="module")
def navigation():
    """Return the pages of each part of the navigation."""

    class Loader(yaml.SafeLoader):
        """Reads MkDocs' own tags as nothing."""

    Loader.add_multi_constructor("tag:yaml.org,2002:python/", lambda *_: None)
    nav = yaml.load((ROOT / "mkdocs.yml").read_text(), Loader)["nav"]
    return {title: addresses(part) for entry in nav for title, part in entry.items()}


def test_the_readme_is_short():
    assert len((ROOT / "README.md").read_text().split()) <= README_WORDS


def test_the_home_page_and_the_first_tutorial_repeat_the_readme_exactly():
    """These pages have blocks of the README; GitHub shows them without MkDocs, so they are copies."""
    blocks = re.findall(r"^```(?:sh|text)\n.*?^```$", (ROOT / "README.md").read_text(), re.MULTILINE | re.DOTALL)
    commands, table = blocks[:2]
    assert commands in (ROOT / "docs" / "index.md").read_text()
    assert table in (ROOT / "docs" / "tutorials" / "first-search.md").read_text()


@pytest.mark.parametrize("path", [*WRITTEN, ROOT / "mkdocs.yml"], ids=ids)
def test_no_line_is_too_long(path):
    long = [number for number, line in enumerate(path.read_text().splitlines(), 1) if len(line) > LINE_CHARACTERS]
    assert not long, f"{path.name}: lines {long}"


@pytest.mark.parametrize("path", WRITTEN, ids=ids)
def test_a_page_begins_with_its_title_and_a_sentence(path):
    title, blank, sentence = path.read_text().splitlines()[:3]
    assert re.match(r"# \S", title)
    assert not blank
    assert re.match(r"[A-Z`a-z]", sentence), "the first sentence says what the page is for"


@pytest.mark.parametrize("name", ["README.md", "CONTRIBUTING.md", "results/README.md"])
def test_the_links_of_a_page_outside_the_site_lead_to_files(name):
    """MkDocs checks the links of its own pages only."""
    links = re.findall(r"\]\((?!https?:)([^)#]+)", (ROOT / name).read_text())
    assert links
    assert not [link for link in links if not (ROOT / name).parent.joinpath(link).is_file()]


def test_the_navigation_shows_the_four_kinds(navigation):
    assert list(navigation) == ["Home", *KINDS]
    for kind in KINDS:
        folder = kind.lower().removesuffix(" guides")  # "How-to guides" are in how-to/
        for page in navigation[kind]:
            assert page.startswith(f"{folder}/") or FIXED.get(page) == kind, page


def test_the_home_page_links_to_every_guide(navigation):
    home = (ROOT / "docs" / "index.md").read_text()
    pages = [page for kind in KINDS for page in navigation[kind]]
    missing = [page for page in pages if f"({page})" not in home]
    listed_elsewhere = r"reference/(api|environments)/"
    assert not [page for page in missing if not re.match(listed_elsewhere, page)]
