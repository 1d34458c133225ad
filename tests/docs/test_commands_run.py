"""Every command of the documentation does what it is there for: run page by page, in a copy of this tree.

An hour, so not among the tests of every change: ``make nightly``.
"""

import os
import re
import shutil
import subprocess

import pytest

from schedcp_gym.paths import cache_root
from tests.docs.commands import PAGES, ROOT, lines

#: Not copied: what is made here.
MADE = [".git", ".venv", "runs", "site"]
#: Parts of the cache that take minutes to make.
SHARED = ("images", "snapshots")
#: Host seconds a command may take.
PATIENCE_S = 1800
#: What is too long even for a night is made short; what serves until it is stopped, is stopped.
SHORT = (
    (r"suite=(standard|paper)\b", r"\g<0> workload=schbench seed=1 budget.evaluations=2 hydra.sweep.dir=runs/short"),
    (r"\+experiment=ablation_repository\b", r"\g<0> workload=schbench seed=1 budget.evaluations=2"),
    (r"--precision 0.05", r"\g<0> --budget-s 60"),
    (r"(\S+/schedcp-gym (mcp --http|watch --rules))", r"timeout --signal=INT --preserve-status 20 \1"),
)
#: Commands that end otherwise: an interrupted server's status, and what is said where a key is missing.
ENDS = ((r"timeout .*(mcp|watch)", (0, 130)), (r"llm=anthropic", (2,)))
#: Set-up, and checks that contain these tests.
LEFT_OUT = r"make \w"
RUNS = {
    "MINE": "+agent=sched_agent workload=schbench budget.evaluations=2",
    "NAIVE": "+agent=naive_agent workload=schbench budget.evaluations=2",
}


def commands(page):
    """A page's lines as they are typed."""
    found = [line.split(" #")[0].strip() for line in lines(page.read_text())]
    return [line for line in found if line and not re.match(LEFT_OUT, line)]


TYPED = [page for page in PAGES if commands(page)]


def run(tree, line):
    """Types a line in the tree's shell."""
    env = {**os.environ, "PYTHONPATH": str(tree), "NO_COLOR": "1", "SCHEDCP_CACHE": str(tree.parent / "cache")}
    env = {name: value for name, value in env.items() if not name.endswith("_API_KEY")}
    return subprocess.run(
        ["bash", "-c", line], cwd=tree, env=env, text=True, capture_output=True, timeout=PATIENCE_S, check=False,
        stdin=subprocess.DEVNULL,
    )  # fmt: skip


def must(tree, line):
    """What a line prints, which must end well."""
    done = run(tree, line)
    assert done.returncode == 0, f"{line}: {done.stderr[-2000:]}"
    return done.stdout


@pytest.fixture(scope="module")
def tree(tmp_path_factory):
    """A copy of this tree, with what the pages say a reader has: files, runs, a suite's runs and their entry."""
    tree = tmp_path_factory.mktemp("docs") / "schedcp_gym"
    shutil.copytree(
        ROOT, tree, symlinks=True, ignore=lambda folder, _names: MADE if folder == str(ROOT) else ["__pycache__"]
    )
    (tree / ".venv").symlink_to(ROOT / ".venv")
    (tree.parent / "cache").mkdir()
    for name in SHARED:  # the user's store and policy repository are none of this
        (tree.parent / "cache" / name).symlink_to(cache_root() / name)
    shutil.copy(tree / "docs" / "examples" / "woken_first.bpf.c", tree / "mine.bpf.c")
    (rules,) = re.findall(r"```yaml\n(redis:.*?)```", (tree / "docs" / "how-to" / "watch.md").read_text(), re.DOTALL)
    (tree / "mine.yaml").write_text(rules)
    for name, words in RUNS.items():
        must(tree, f".venv/bin/python -m schedcp_gym.run {words} run.dir=runs/{name}")
    for name in ("A", "B", "SCHED"):
        shutil.copytree(tree / "runs" / "MINE", tree / "runs" / name)
    entry = next(path for path in (tree / "results" / "leaderboard").iterdir() if "eevdf" in path.name)
    must(tree, f".venv/bin/schedcp-gym leaderboard unpack {entry} --to runs/suite_standard")
    shutil.rmtree(tree / "results" / "leaderboard")
    return tree


def ready(tree, line):
    """A line with what only this reader knows, and not longer than a night."""
    if "scp1.…" in line:
        line = line.replace("scp1.…", re.search(r"scp1\.\S+", must(tree, ".venv/bin/schedcp-gym verify vtime"))[0])
    line = line.replace("SCHEDCP_MCP_TOKEN=…", "export SCHEDCP_MCP_TOKEN=only-a-test-of-the-docs;")
    for pattern, text in SHORT:
        line = re.sub(pattern, text, line)
    return line


@pytest.mark.guest
@pytest.mark.nightly
@pytest.mark.parametrize("page", TYPED, ids=lambda page: str(page.relative_to(ROOT)))
def test_the_commands_of_a_page_run(page, tree):
    wrong = []
    for line in commands(page):
        typed = ready(tree, line)
        done = run(tree, typed)
        wanted = next((statuses for pattern, statuses in ENDS if re.search(pattern, typed)), (0,))
        if done.returncode not in wanted:
            wrong.append(f"{typed}\n  ended with {done.returncode}: {(done.stderr or done.stdout)[-600:]}")
    assert not wrong, "\n".join(wrong)
