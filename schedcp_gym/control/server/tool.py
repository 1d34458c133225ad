"""Tools as functions: their schemas, the validation of their arguments, and how they are found.

Each module of ``tools/`` is a group of tools. A function under :func:`tool` is one of them. A model reads its
docstring; the schema of its arguments follows from the signature.
"""

import functools
import inspect
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from pydantic import BaseModel, ConfigDict, ValidationError, create_model

from schedcp_gym.lab.catalogue import unknown
from schedcp_gym.llm import ToolResult
from schedcp_gym.llm.chat import without_titles
from schedcp_gym.spec import BadInput

Function = Callable[..., ToolResult]


@dataclass(frozen=True)
class ToolFunction:
    """A function that is a tool.

    Attributes:
        name: The name in calls.
        description: For a model.
        arguments: Validates the arguments.
        run: The function; its first argument is the :class:`~schedcp_gym.control.server.call.Call`.
        boots: Whether it may start virtual machines; the number of such calls at once is limited.
        changes: Whether it changes something that lasts: a record, a deployment.
    """

    name: str
    description: str
    arguments: type[BaseModel]
    run: Function
    boots: bool = False
    changes: bool = False

    @functools.cached_property
    def schema(self) -> dict[str, Any]:
        """The arguments' JSON schema, without titles."""
        found: dict[str, Any] = without_titles(self.arguments.model_json_schema(), strictness=False)
        return {**found, "additionalProperties": False}

    def check(self, arguments: Mapping[str, Any]) -> dict[str, Any]:
        """Return the arguments, validated and converted to their types.

        Raises:
            BadInput: An argument is missing, unknown or wrong.
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
        if first["type"] == "string_unicode":
            return BadInput(f"{self.name}: {where} is no text: it has characters that UTF-8 can't encode")
        if first["type"] == "missing" and len(first["loc"]) == 1:
            return BadInput(f"{self.name} needs the argument {name!r}{example}")
        return BadInput(f"{self.name}: {where}: {said}{example}"[:400])


def tool(*, boots: bool = False, changes: bool = False) -> Callable[[Function], ToolFunction]:
    """Return a decorator that turns a function into a tool.

    Args:
        boots: Whether it may start virtual machines.
        changes: Whether it changes something that lasts.

    Example:
        >>> @tool()
        ... def count_policies(call: Call) -> ToolResult:
        ...     'Return the number of policies.'
        ...     number = len(call.plane.repository.policies())
        ...     return ToolResult({"policies": number}, f"{number} policies")
    """

    def made(function: Function) -> ToolFunction:
        fields: dict[str, Any] = {}
        for parameter in list(inspect.signature(function).parameters.values())[1:]:
            default = ... if parameter.default is parameter.empty else parameter.default
            fields[parameter.name] = (parameter.annotation, default)
        config = ConfigDict(extra="forbid", frozen=True)
        name = function.__name__
        arguments = create_model(f"{name}_arguments", __config__=config, __module__=function.__module__, **fields)
        description = inspect.getdoc(function) or ""
        return ToolFunction(name, description, arguments, function, boots, changes)

    return made
