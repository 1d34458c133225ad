"""Return the command line that repeats an entry's runs."""

import shlex
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from schedcp_gym.baselines import agent_names
from schedcp_gym.run.folder import RunFolder
from schedcp_gym.run.lock import flat

#: Settings of a model that change its answers. Other settings, like its address, are left to the user.
ASKED = ("model", "temperature", "max_tokens", "seed", "json_schema")
#: Settings that a suite contains.
OF_SUITE = ("scale", "objective", "episode_steps", "heldout")


def command(runs: Sequence[RunFolder], *, asks_model: bool) -> str:
    """Return the command line.

    Args:
        runs: The runs of an entry.
        asks_model: Whether its agent uses a language model.
    """
    first = runs[0]
    several = ["-m"] if len(runs) > 1 or first.suite else []
    words = [*_agent(first), *_settings(first)]
    words.append(f"workload={','.join(sorted({run.workload.name for run in runs}))}")
    words.append(f"seed={','.join(map(str, sorted({run.settings.seed for run in runs})))}")
    if asks_model:
        model = {name: first.config["llm"][name] for name in ASKED}
        if model["seed"] == first.settings.seed:
            del model["seed"]  # by default it is the run's seed
        words += [f"llm.{name}={word(value)}" for name, value in model.items()]
    return shlex.join(["python", "-m", "schedcp_gym.run", *several, *words])


def _agent(run: RunFolder) -> Iterator[str]:
    own = run.agent in agent_names()
    yield f"+agent={run.agent if own else family_of(run.target)}"
    if not own:  # an experiment gave the agent another name
        yield f"run.agent={run.agent}"
    for key, value in flat(run.config["agent"]).items():
        if not key.endswith("_target_") and value is not None:
            plus = "++" if ".llm." in key else ""  # the model of a role is null in the agent's config
            yield f"{plus}agent.{key}={word(value)}"


def _settings(run: RunFolder) -> Iterator[str]:
    config = run.config
    names = ["budget", "machine"]
    if run.suite:
        yield f"suite={run.suite}"
    else:
        names += OF_SUITE
    given = {name: config[name] for name in names}
    objective = given.pop("objective", None)
    if objective is not None:
        yield f"objective={word(objective)}"
    for key, value in flat(given).items():
        if key.startswith("heldout.variants."):
            if key.startswith(f"heldout.variants.{run.workload.name}."):
                yield f"++{key}={word(value)}"
        elif value is not None:
            yield f"{key}={word(value)}"


#: The package of the agents.
PACKAGE = "schedcp_gym.baselines."


def family_of(target: str) -> str:
    """Return an agent's family: the module or package of its class."""
    return target.removeprefix(PACKAGE).split(".")[0]


def word(value: Any) -> str:
    """Return a value as Hydra's command line accepts it."""
    if isinstance(value, Mapping):
        return "{" + ",".join(f"{key}:{word(each)}" for key, each in value.items()) + "}"
    if isinstance(value, list | tuple):
        return "[" + ",".join(map(word, value)) + "]"
    if value is None or isinstance(value, bool):
        return {None: "null", True: "true", False: "false"}[value]
    if isinstance(value, str) and value and set(value) & set(" ,:={}[]()'\"\\$*"):
        return "'" + value.replace("\\", "\\\\").replace("'", "\\'") + "'"
    return str(value)
