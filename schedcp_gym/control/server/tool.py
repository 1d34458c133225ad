"""What a tool is, how its arguments are checked, and how all tools are found.

A module of ``tools/`` is a group of tools; each function in it under :func:`tool` is one. Its docstring is what a model
reads; its arguments' schema follows from the signature.
"""

import functools
import importlib
import inspect
import pkgutil
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from pydantic import BaseModel, ConfigDict, ValidationError, create_model

from schedcp_gym.control.server import tools as package
from schedcp_gym.control.server.answer import Answer
from schedcp_gym.lab.catalogue import unknown
from schedcp_gym.llm.chat import without_titles
from schedcp_gym.spec import BadInput

Function = Callable[..., Answer]


@dataclass(frozen=True)
class Tool:
    """A tool.

    Attributes:
        name: As it is called.
        description: For a model.
        arguments: Checks the arguments.
        run: Does it.
        boots: Whether it may start virtual machines: then few run at once.
        changes: Whether it leaves anything changed: a record, a deployment.
    """

    name: str
    description: str
    arguments: type[BaseModel]
    run: Function
    boots: bool = False
    changes: bool = False

    @functools.cached_property
    def schema(self) -> dict[str, Any]:
        """The arguments' JSON schema, without what says nothing."""
        found: dict[str, Any] = without_titles(self.arguments.model_json_schema(), strictness=False)
        return {**found, "additionalProperties": False}

    def check(self, arguments: Mapping[str, Any]) -> dict[str, Any]:
        """The arguments, checked and in their types.

        Raises:
            BadInput: One is missing, unknown or wrong.
        """
        fields = self.arguments.model_fields
        for name in arguments:
            if name not in fields:
                raise unknown(f"argument of {self.name}", str(name)[:80], fields)
        try:
            checked = self.arguments.model_validate(dict(arguments))
        except ValidationError as error:
            raise self._fault(error) from None
        return {name: getattr(checked, name) for name in fields}

    def _fault(self, error: ValidationError) -> BadInput:
        first = error.errors(include_url=False, include_input=False)[0]
        name = str(first["loc"][0]) if first["loc"] else ""
        where = ".".join(str(part) for part in first["loc"][:4])
        said = first["msg"].removeprefix("Value error, ")
        field = self.arguments.model_fields.get(name)
        example = f", as {field.examples[0]!r}" if field is not None and field.examples else ""
        if first["type"] == "missing" and len(first["loc"]) == 1:
            return BadInput(f"{self.name} needs the argument {name!r}{example}")
        return BadInput(f"{self.name}: {where}: {said}{example}"[:400])


def tool(*, boots: bool = False, changes: bool = False) -> Callable[[Function], Tool]:
    """Makes a function a tool: its first argument is the :class:`Call`, the others are the tool's.

    Args:
        boots: Whether it may start virtual machines.
        changes: Whether it leaves anything changed.
    """

    def made(function: Function) -> Tool:
        fields: dict[str, Any] = {}
        for parameter in list(inspect.signature(function).parameters.values())[1:]:
            default = ... if parameter.default is parameter.empty else parameter.default
            fields[parameter.name] = (parameter.annotation, default)
        config = ConfigDict(extra="forbid", frozen=True)
        name = function.__name__
        arguments = create_model(f"{name}_arguments", __config__=config, __module__=function.__module__, **fields)
        description = inspect.getdoc(function) or ""
        return Tool(name, description, arguments, function, boots, changes)

    return made


@functools.cache
def all_tools() -> dict[str, Tool]:
    """All tools by name, group by group."""
    found: dict[str, Tool] = {}
    for module in sorted(each.name for each in pkgutil.iter_modules(package.__path__)):
        group = importlib.import_module(f"{package.__name__}.{module}")
        found |= {each.name: each for each in vars(group).values() if isinstance(each, Tool)}
    return found
