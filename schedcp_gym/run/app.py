"""Run the Hydra application: start a run from the command line, and print errors in one or two lines."""

import os
import re
import shlex
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import hydra
import yaml
from hydra.core.hydra_config import HydraConfig
from hydra.errors import ConfigCompositionException, HydraException, InstantiationException, MissingConfigException
from hydra.types import RunMode
from omegaconf import DictConfig, OmegaConf
from omegaconf.errors import MissingMandatoryValue, OmegaConfBaseException
from pydantic import ValidationError

from schedcp_gym.baselines import agent_names, agent_summary
from schedcp_gym.extras import missing_extra
from schedcp_gym.paths import CONFIGS
from schedcp_gym.run.configs import offer_workloads
from schedcp_gym.spec import BadInput, SchedcpError
from schedcp_gym.spec.errors import first_fault

COMMAND = "python -m schedcp_gym.run"
INTERRUPTED = 130
#: Hydra's options that print something instead of starting a run.
_SHOWS = ("-h", "--help", "--hydra-help", "--version", "--info", "-i", "--shell-completion", "-sc")


def main(arguments: Sequence[str]) -> int:
    """Run the command and return its exit status."""
    # Hydra needs "+agent=x", because agent has no default; "agent=x" is accepted too.
    words = [re.sub(r"^agent=", "+agent=", word) for word in arguments]
    words = [re.sub(r"^\++suite=", "suite=", word) for word in words]
    # By default Hydra prints its errors itself, with many lines, and ends the process.
    os.environ["HYDRA_FULL_ERROR"] = "1"
    try:
        if not any(re.match(r"\++(agent|experiment)=.", word) or word.split("=")[0] in _SHOWS for word in words):
            raise BadInput(_agents_text())
        _check_suite(words)
        sys.argv = [COMMAND, *words]
        _failed.clear()
        offer_workloads()
        _hydra_main()
    except KeyboardInterrupt as interrupt:
        print(interrupt.args[0] if interrupt.args else "interrupted", file=sys.stderr)
        return INTERRUPTED
    except _Ended as ended:
        return _report(ended.problem)
    except (SchedcpError, HydraException, OmegaConfBaseException) as error:
        return _report(error)
    except OSError as error:  # raised by Hydra; a run's own are wrapped in _Ended
        if error.filename is None:
            return _report(error)
        why = f"{error.filename} cannot be used as the run's folder: {error.strerror}; use another run.dir"
        return _report(SchedcpError(why))
    return _report_failed()


def _check_suite(words: Sequence[str]) -> None:
    """Raise an error if a suite is started without -m, which would run only one arbitrary task of it."""
    suite = next((word for word in words if re.match(r"suite=(?!null$).", word)), None)
    chosen = any(word.startswith("workload=") for word in words)
    if (
        suite
        and not chosen
        and not {"-m", "--multirun", *_SHOWS, "--cfg", "-c"} & {word.split("=")[0] for word in words}
    ):
        raise BadInput(f"{suite} is many runs: add -m, or choose one of its tasks by workload=NAME")


class _Ended(BaseException):
    """Wrapper for an error, because Hydra would print any Exception itself."""

    def __init__(self, problem: Exception) -> None:
        super().__init__()
        self.problem = problem


#: Folders and errors of the failed runs of a sweep.
_failed: list[tuple[Path, Exception]] = []


def _report_failed() -> int:
    """Print the failed runs at the end of a sweep, by reason. Return the exit status."""
    by_reason: dict[str, list[tuple[Path, Exception]]] = {}
    for one in _failed:
        by_reason.setdefault(str(one[1]), []).append(one)
    status = 0
    for (folder, error), *others in by_reason.values():
        print(f"failed: {1 + len(others)} runs ({folder.name}{' …' if others else ''}):", file=sys.stderr)
        status = max(status, _report(error))
    return status


def _report(error: Exception) -> int:
    """Print an error and return the exit status."""
    if isinstance(error, OSError) and not isinstance(error, HydraException):  # some of Hydra's errors are OSErrors
        error = SchedcpError(f"{error.strerror or error}{f': {error.filename}' if error.filename else ''}")
    problem = error if isinstance(error, SchedcpError) else BadInput(_hydra_text(error))
    print(problem, file=sys.stderr)
    return problem.exit_status


@hydra.main(version_base="1.3", config_path=str(CONFIGS), config_name="config")
def _hydra_main(config: DictConfig) -> None:
    try:
        try:
            _run(config)
        except ModuleNotFoundError as error:
            raise missing_extra(error) or error from error
    except (SchedcpError, OmegaConfBaseException, OSError) as error:
        if HydraConfig.get().mode is not RunMode.MULTIRUN:
            raise _Ended(error) from error
        # A run that fails, for example because an extra is missing, must not end a long sweep.
        _failed.append((Path(HydraConfig.get().runtime.output_dir), error))
        _report(error)


def _run(config: DictConfig) -> None:
    # Imported here, so that errors in the command line are printed without delay.
    from schedcp_gym.run.lock import locked
    from schedcp_gym.run.search import Run
    from schedcp_gym.run.settings import read_settings

    plain: dict[str, Any] = OmegaConf.to_container(config, resolve=True, throw_on_missing=True)  # type: ignore[assignment]
    settings = read_settings(plain)
    name = plain["run"]["agent"]
    agent = _make_agent(config, name)
    folder = Path(HydraConfig.get().runtime.output_dir)
    with locked(folder, plain, plans_with_budget=agent.uses_llm):
        run = Run(settings, agent, name, folder)
        try:
            run.carry_out()
        except KeyboardInterrupt:
            words = [word for word in HydraConfig.get().overrides.task if not word.startswith("run.dir=")]
            again = shlex.join([*COMMAND.split(), *words, f"run.dir={os.path.relpath(folder)}"])
            done = len(run.record.evaluations)
            raise KeyboardInterrupt(f"interrupted; {done} evaluations are in {folder}; resume with: {again}") from None


def _make_agent(config: DictConfig, name: str) -> Any:
    from schedcp_gym.baselines.agent import Agent

    if not isinstance(config.agent, DictConfig) or "_target_" not in config.agent:
        raise BadInput(f"configs/agent/{name}.yaml must name a class: `_target_: schedcp_gym.baselines.<file>.<Class>`")
    try:
        agent = hydra.utils.instantiate(config.agent)
    except InstantiationException as error:
        cause = error.__cause__ or error
        why = f"agent.{first_fault(cause)}" if isinstance(cause, ValidationError) else str(cause).split("\n")[0]
        raise BadInput(f"the agent {name} cannot be created: {why}") from None
    if not isinstance(agent, Agent):
        raise BadInput(f"{config.agent._target_} is not a subclass of schedcp_gym.baselines.agent.Agent")
    return agent


def _agents_text() -> str:
    width = max(map(len, agent_names()), default=0)
    lines = [f"  {name:<{width}}  {agent_summary(name)}" for name in agent_names()]
    return "\n".join(["no agent given: add one of these as +agent=NAME", *lines])


def _hydra_text(error: Exception) -> str:
    """Return Hydra's message in one or two lines, with similar names if a name is wrong."""
    from schedcp_gym.lab.catalogue import unknown

    if isinstance(error, MissingConfigException) and error.options and error.missing_cfg_file:
        group, _, name = str(error.missing_cfg_file).rpartition("/")
        return str(unknown(group, name, error.options))
    if isinstance(error, MissingMandatoryValue):
        return f"{error.full_key} has no value and no default: give {error.full_key}=VALUE"
    text = str(error)
    found = re.match(r"Could not (?:override|append to config) '?([\w.]+)", text)
    if isinstance(error, ConfigCompositionException) and found:
        return str(unknown("setting", found[1], _setting_names()))
    return "\n".join(text.strip().splitlines()[:2])


def _setting_names() -> list[str]:
    names = ["workload.name"]  # of no file: see offer_workloads
    paths = [CONFIGS / "config.yaml", *CONFIGS.glob("*/*.yaml")]
    for path in paths:
        text = path.read_text()
        is_global = path.parent == CONFIGS or text.startswith("# @package _global_")
        group = "" if is_global else f"{path.parent.name}."
        for key, value in (yaml.safe_load(text) or {}).items():
            inner = [f".{name}" for name in value] if isinstance(value, dict) else [""]
            names += [f"{group}{key}{name}" for name in inner]
    return [name for name in set(names) if not name.startswith(("hydra", "defaults"))]
