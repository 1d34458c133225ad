"""Imports point one way: no circles between modules or packages of ours, lazy imports included, and none points up."""

import ast
import itertools
from graphlib import CycleError, TopologicalSorter
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
#: Where our code lies, and what it is imported as.
HOMES = {"schedcp_gym": "schedcp_gym", "envs": "schedcp_gym.envs", "baselines": "schedcp_gym.baselines"}
#: Packages and modules below ``schedcp_gym``, the upper first; those of a line do not import each other. The empty
#: name is ``schedcp_gym`` itself, which offers ``load_results``.
LAYERS = """
cli
report
leaderboard
-
run
baselines
envs
bench control
llm lab
machine
files extras
spec
printing
paths pages ui
"""
RANKS = {name.strip("-"): rank for rank, line in enumerate(LAYERS.split("\n")) for name in line.split()}


def modules():
    """All modules of ours: {dotted name: file}."""
    found = {}
    for folder, package in HOMES.items():
        for path in (ROOT / folder).rglob("*.py"):
            parts = path.relative_to(ROOT / folder).with_suffix("").parts
            found[".".join((package, *parts)).removesuffix(".__init__")] = path
    return found


def imported(path):
    """The names that a file imports, wherever in the file, also by ``importlib`` with a text: full names, and lines."""
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Import):
            yield from ((alias.name, node.lineno) for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            assert not node.level, f"{path}:{node.lineno}: a relative import hides where it points"
            yield from ((f"{node.module}.{alias.name}", node.lineno) for alias in node.names)
        elif isinstance(node, ast.Call) and ast.unparse(node.func).endswith(("import_module", "__import__")):
            for argument in node.args[:1]:
                if isinstance(argument, ast.Constant):
                    yield str(argument.value), node.lineno


def imports_of(files):
    """Which module imports which, and where: {(importer, imported): place}."""
    found = {}
    for name, path in files.items():
        for full_name, line in imported(path):
            target = full_name
            while target and target not in files:  # an object of a module
                target = target.rpartition(".")[0]
            if target and target != name:
                found[name, target] = f"{path.relative_to(ROOT)}:{line}"
    return found


IMPORTS = imports_of(modules())


def circle(edges):
    """A circle among (importer, imported) pairs; empty if there is none."""
    graph = TopologicalSorter()
    for importer, target in edges:
        graph.add(importer, target)
    try:
        graph.prepare()
    except CycleError as error:
        return error.args[1]
    return []


def siblings(package, imports):
    """Imports between the members of a package, what is below a member counted as the member's."""
    within = f"{package}."
    for importer, target in imports:
        if importer.startswith(within) and target.startswith(within):
            pair = tuple(name.removeprefix(within).split(".")[0] for name in (importer, target))
            if pair[0] != pair[1]:
                yield pair


def packages(imports):
    return sorted({name.rpartition(".")[0] for name in itertools.chain(*imports)} - {""})


def rank(module):
    return RANKS[module.split(".")[1] if "." in module else ""]


def test_all_imports_are_seen():
    assert len(IMPORTS) > 1000
    lazy = ("schedcp_gym", "schedcp_gym.run.results")  # within a function
    assert lazy in IMPORTS
    assert any(importer.startswith("schedcp_gym.envs.") for importer, _ in IMPORTS)
    assert any(target.startswith("schedcp_gym.baselines.") for _, target in IMPORTS)


@pytest.mark.parametrize("package", packages(IMPORTS))
def test_no_two_members_of_a_package_import_each_other(package):
    found = circle(siblings(package, IMPORTS))
    assert not found, " → ".join(found)


def test_no_modules_import_in_a_circle():
    found = circle(IMPORTS)
    assert not found, " → ".join(found)


def test_imports_point_down():
    up = [
        f"{where}: {importer} imports {target}"
        for (importer, target), where in IMPORTS.items()
        if importer.split(".")[1:2] != target.split(".")[1:2] and rank(importer) >= rank(target)
    ]
    assert not up, "\n".join(up)


def test_spec_imports_nothing_else_of_ours():
    found = {target for importer, target in IMPORTS if importer.startswith("schedcp_gym.spec")}
    assert all(target.startswith("schedcp_gym.spec") for target in found)


def test_a_lazy_circle_and_an_import_that_points_up_are_found(tmp_path, monkeypatch):
    monkeypatch.setitem(globals(), "ROOT", tmp_path)
    texts = {
        "schedcp_gym.lab.one": "from schedcp_gym.lab.two.inner import name\n",
        "schedcp_gym.lab.two.inner": "def later():\n    import schedcp_gym.lab.three\n",
        "schedcp_gym.lab.three": "import importlib\nimportlib.import_module('schedcp_gym.lab.one')\n",
        "schedcp_gym.machine.four": "if TYPE_CHECKING:\n    from schedcp_gym.lab import one\n",
    }
    files = {name: tmp_path / f"{name}.py" for name in texts}
    for name, text in texts.items():
        files[name].write_text(text)
    imports = imports_of(files)
    assert set(circle(siblings("schedcp_gym.lab", imports))) == {"one", "two", "three"}
    assert len(set(circle(imports))) == 3
    upward = "schedcp_gym.machine.four", "schedcp_gym.lab.one"
    assert imports[upward] == "schedcp_gym.machine.four.py:2"
    assert rank(upward[0]) >= rank(upward[1])
