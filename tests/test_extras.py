"""What a core install can do, and the one line that names the extra for the rest."""

import subprocess
import sys
import tomllib
from pathlib import Path

import pytest

from schedcp_gym.extras import EXTRA_OF

PROJECT = tomllib.loads((Path(__file__).parents[1] / "pyproject.toml").read_text())["project"]
HEAVY = ("ray", "lancedb", "litellm", "mcp", "plotly", "altair", "vl-convert-python")
#: Leaves out the packages of all extras, as a core install does, and then runs the words that follow.
WITHOUT = f"import sys; sys.modules.update(dict.fromkeys({sorted(EXTRA_OF)})); "


def without_extras(code):
    done = subprocess.run([sys.executable, "-c", WITHOUT + code], capture_output=True, text=True, timeout=120)
    return done.returncode, done.stdout + done.stderr


def names(requirements):
    return {requirement.split(">")[0].split("=")[0].split("[")[0] for requirement in requirements}


def test_the_core_has_few_dependencies_and_none_that_is_heavy():
    core = names(PROJECT["dependencies"])
    assert len(core) <= 14
    assert not core & set(HEAVY)
    extras = PROJECT["optional-dependencies"]
    assert {"llm", "mcp", "ray", "report", "rl", "all"} <= set(extras)
    of_extras = names(requirement for extra in extras.values() for requirement in extra)
    assert set(HEAVY) - of_extras == {"plotly"}  # altair draws all charts


def test_environments_tuners_and_commands_need_no_extra():
    modules = (
        "schedcp_gym.envs, schedcp_gym.run.search, schedcp_gym.baselines.tuners, schedcp_gym.cli, schedcp_gym.bench"
    )
    status, said = without_extras(f"import {modules}; import gymnasium; gymnasium.make('SchedCP/Schbench-Table-v0')")
    assert not status, said


@pytest.mark.parametrize(
    ("words", "extra"),
    [
        (["repository", "search", "fifo"], "llm"),
        (["verify", "fifo"], "llm"),
        (["mcp"], "mcp"),
        (["bench", "eevdf", "-w", "longtail", "--plot", "x.html"], "report"),
    ],
    ids=lambda value: value[0] if isinstance(value, list) else value,
)
def test_a_missing_extra_is_named_in_one_line(words, extra, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    status, said = without_extras(f"sys.argv[1:] = {words}; from schedcp_gym.cli import main; main()")
    assert status == 3, said
    assert said.strip().endswith(f"pip install 'schedcp_gym[{extra}]'")
    assert len(said.strip().splitlines()) == 1


def test_an_agent_with_a_model_names_its_extra(tmp_path):
    words = ["+agent=sched_agent", "workload=longtail", f"run.dir={tmp_path}/run"]
    status, said = without_extras(f"from schedcp_gym.run.app import main; sys.exit(main({words}))")
    assert status == 3, said
    assert said.strip().endswith("pip install 'schedcp_gym[llm]'")
