"""One word has one meaning: class names are unique, and docstrings say in plain words what a thing does.

A package is added to ``PACKAGES`` when its names and docstrings keep these rules.
"""

import ast
from collections import defaultdict
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
#: Folders of packages, without their subpackages.
PACKAGES = (
    "schedcp_gym/bench",
    "schedcp_gym/cli",
    "schedcp_gym/control/repository",
    "schedcp_gym/leaderboard",
    "schedcp_gym/leaderboard/site",
    "schedcp_gym/report",
    "schedcp_gym/run",
)
#: Single modules.
MODULES = (
    "schedcp_gym/extras.py",
    "schedcp_gym/files.py",
    "schedcp_gym/pages.py",
    "schedcp_gym/paths.py",
    "schedcp_gym/printing.py",
    "schedcp_gym/ui.py",
)
#: Classes that may have one name, each with the reason. At most five.
ALLOWED = {"Run": "control/analysis/feedback.py has the measurement of one policy under this name"}
#: First words of docstrings that name a question instead of an action.
QUESTIONS = ("What", "Whether", "How", "Those", "Who", "That")
#: First words of a function's docstring that are no verb in its base form.
NO_VERBS = (*QUESTIONS, "A", "An", "The", "Its", "Which", "Why", "Where", "None", "All", "Each")
#: All Python code of the repository; ``rglob`` does not follow the links in ``schedcp_gym``.
SOURCES = sorted(
    path
    for folder in ("schedcp_gym", "envs", "baselines", "workloads", "tools")
    for path in (ROOT / folder).rglob("*.py")
)


def is_public(name):
    return not name.startswith("_")


def public_classes(path):
    return [
        node.name
        for node in ast.parse(path.read_text()).body
        if isinstance(node, ast.ClassDef) and is_public(node.name)
    ]


def docstrings(path):
    """Yield the first line of each public docstring, with its place and whether it is a function's."""
    waiting = [ast.parse(path.read_text())]
    while waiting:
        node = waiting.pop()
        if text := ast.get_docstring(node):
            line = getattr(node, "lineno", 1)
            is_function = isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef)
            yield f"{path.relative_to(ROOT)}:{line}", text.splitlines()[0], is_function
        if isinstance(node, ast.Module | ast.ClassDef):
            definitions = (ast.ClassDef, ast.FunctionDef, ast.AsyncFunctionDef)
            waiting += [each for each in node.body if isinstance(each, definitions) and is_public(each.name)]


def modules(package):
    folder = ROOT / package
    return [folder] if folder.suffix == ".py" else sorted(folder.glob("*.py"))


def words_of(line):
    return line.replace("``", "").split()


@pytest.fixture(scope="module")
def declared():
    """Return the modules that declare each public class of the repository."""
    found = defaultdict(list)
    for path in SOURCES:
        for name in public_classes(path):
            found[name].append(path.relative_to(ROOT).as_posix())
    return found


@pytest.mark.parametrize("package", [*PACKAGES, *MODULES])
def test_a_public_class_has_a_name_of_its_own(package, declared):
    names = [name for path in modules(package) for name in public_classes(path)]
    shared = {name: declared[name] for name in names if len(declared[name]) > 1 and name not in ALLOWED}
    assert shared == {}


def test_few_names_are_shared_and_each_for_a_reason():
    assert len(ALLOWED) <= 5
    assert all(ALLOWED.values())


@pytest.mark.parametrize("package", [*PACKAGES, *MODULES])
def test_a_docstring_begins_with_what_is_done(package):
    wrong = [
        f"{place}: {line}"
        for path in modules(package)
        for place, line, is_function in docstrings(path)
        if words_of(line)[0].rstrip(":,") in (NO_VERBS if is_function else QUESTIONS)
    ]
    assert wrong == []


@pytest.mark.parametrize("package", [*PACKAGES, *MODULES])
def test_a_functions_docstring_is_an_order_not_a_report(package):
    """Docstrings say "Return", not "Returns"."""
    wrong = [
        f"{place}: {line}"
        for path in modules(package)
        for place, line, is_function in docstrings(path)
        if is_function and words_of(line)[0].endswith("s") and not words_of(line)[0].endswith("ss")
    ]
    assert wrong == []
