"""Every command of the documentation can be typed: its options are there, and its settings are allowed."""

import re

import hydra
import pytest
from hydra._internal.core_plugins.basic_sweeper import BasicSweeper
from hydra.core.override_parser.overrides_parser import OverridesParser
from omegaconf import OmegaConf
from typer.main import get_command

from schedcp_gym.baselines.agent import Agent
from schedcp_gym.cli import app
from schedcp_gym.lab.catalogue import load_workload
from schedcp_gym.run.configs import open_configs
from schedcp_gym.run.settings import read_settings
from tests.docs.commands import PAGES, ROOT, commands, lines

COMMANDS = [(page.relative_to(ROOT), *command) for page in PAGES for command in commands(page)]
#: What the pages' own examples add: a reader has copied them by then.
ADDED = {"hill_climb"}


def parse(words, *, whole=True):
    """Takes the words of ``schedcp-gym`` to the command they are for, and parses them there; nothing runs.

    Without ``whole``, only the command has to be there.
    """
    command, context = get_command(app), None
    while whole or hasattr(command, "resolve_command"):
        context = command.make_context(words[0] if words else "schedcp-gym", list(words), parent=context)
        if not hasattr(command, "resolve_command"):
            return
        _name, command, words = command.resolve_command(context, [*context._protected_args, *context.args])


def compose(words):
    """Takes the words of ``python -m schedcp_gym.run`` to the configurations of the runs they start."""
    several = "-m" in words
    words = [re.sub(r"^agent=", "+agent=", word) for word in words if word != "-m"]
    with open_configs():
        loader = hydra.core.global_hydra.GlobalHydra.instance().config_loader()
        overrides = OverridesParser.create(config_loader=loader).parse_overrides(words)
        assert several or not any(override.is_sweep_override() for override in overrides), "several values need -m"
        (jobs,) = BasicSweeper.split_arguments(overrides, max_batch_size=None)
        return [hydra.compose("config", overrides=job) for job in jobs]


def check(config):
    """That a run would begin: an agent that is there, settings that are allowed, a workload of that name."""
    assert issubclass(hydra.utils.get_class(config.agent._target_), Agent)
    given = OmegaConf.masked_copy(config, [key for key in config if key not in ("run", "agent")])
    read_settings(OmegaConf.to_container(given, resolve=True))
    load_workload(config.workload.name)


def ids(found):
    return [f"{page}: {program} {' '.join(words)}" for page, program, words, _whole in found]


def test_the_pages_have_commands():
    assert len(COMMANDS) > 60
    assert {program for _page, program, *_ in COMMANDS} == {"schedcp-gym", "run"}


@pytest.mark.parametrize(("page", "program", "words", "whole"), COMMANDS, ids=ids(COMMANDS))
def test_a_command_parses(page, program, words, whole):
    if program == "schedcp-gym":
        parse(words, whole=whole)
    elif not any(word.removeprefix("+agent=") in ADDED for word in words):
        configs = compose(words)
        assert configs
        for config in configs:
            check(config)


@pytest.mark.parametrize(
    "words",
    [["evaluate", "fifo", "schbench", "--sed", "1"], ["evaluat", "fifo"], ["report"], ["bench", "--seeds", "x"]],
)
def test_a_wrong_command_is_seen(words):
    with pytest.raises(Exception, match=r"(?i)no such|missing|invalid|not") as raised:
        parse(words)
    assert type(raised.value).__name__ in ("UsageError", "NoSuchOption", "MissingParameter", "BadParameter")


@pytest.mark.parametrize(
    "words", [["+agent=nobody"], ["+agent=tpe", "workload=nothing"], ["+agent=tpe", "budget.evaluation=3"]]
)
def test_a_wrong_run_is_seen(words):
    with pytest.raises(hydra.errors.HydraException):
        compose(words)


def test_a_line_that_goes_on_is_one():
    assert "a  b" in lines("```sh\na \\\nb\n```\n")
