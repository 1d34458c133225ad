"""Prompts: Markdown files in ``prompts/`` that begin with title, description and arguments in YAML."""

import functools
import string
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path

import mcp_types as types
import yaml
from pydantic import ConfigDict, TypeAdapter
from pydantic.dataclasses import dataclass as checked_dataclass

from schedcp_gym.control.server.plane import ControlPlane
from schedcp_gym.lab.catalogue import unknown
from schedcp_gym.spec import BadInput

FOLDER = Path(__file__).with_name("prompts")
#: The file with the server's instructions to every client.
INSTRUCTIONS = "instructions"
ARGUMENT_CHARS = 2000


@checked_dataclass(frozen=True, config=ConfigDict(extra="forbid"))
class Argument:
    """An argument of a prompt.

    Attributes:
        description: For a person.
        default: The value if none is given; None: a value is required.
        of: ``workload`` or ``policy`` if the value must be the name of one; else empty.
    """

    description: str
    default: str | None = None
    of: str = ""


@dataclass(frozen=True)
class PromptTemplate:
    """A prompt.

    Attributes:
        name: Name of its file.
        title: Title in a few words.
        description: Its purpose.
        arguments: Arguments by name.
        text: Text with ``$name`` in the place of an argument.
    """

    name: str
    title: str
    description: str
    arguments: Mapping[str, Argument]
    text: str

    def declared(self) -> types.Prompt:
        """Return the prompt in the protocol's form."""
        arguments = [
            types.PromptArgument(name=name, description=each.description, required=each.default is None)
            for name, each in self.arguments.items()
        ]
        return types.Prompt(name=self.name, title=self.title, description=self.description, arguments=arguments)


@functools.cache
def all_prompts() -> dict[str, PromptTemplate]:
    """Return all prompts by name."""
    return {path.stem: _load(path) for path in sorted(FOLDER.glob("*.md")) if path.stem != INSTRUCTIONS}


@functools.cache
def instructions() -> str:
    """Return the server's instructions."""
    return (FOLDER / f"{INSTRUCTIONS}.md").read_text().strip()


def _load(path: Path) -> PromptTemplate:
    _, head, text = path.read_text().split("---\n", 2)
    declared = yaml.safe_load(head)
    arguments = TypeAdapter(dict[str, Argument]).validate_python(declared.get("arguments") or {})
    return PromptTemplate(path.stem, declared["title"], declared["description"], arguments, text.strip())


def filled(plane: ControlPlane, name: str, given: Mapping[str, str]) -> types.GetPromptResult:
    """Return a prompt with its arguments filled in.

    Raises:
        BadInput: There is no such prompt; an argument is missing, unknown or wrong.
    """
    if name not in all_prompts():
        raise unknown("prompt", name[:80], all_prompts())
    prompt = all_prompts()[name]
    for each in given:
        if each not in prompt.arguments:
            raise unknown(f"argument of {name}", each[:80], prompt.arguments)
    checks: dict[str, Callable[[str], object]] = {"workload": plane.workload, "policy": plane.policies.record}
    values = {}
    for each, argument in prompt.arguments.items():
        value = given.get(each, argument.default)
        if value is None:
            raise BadInput(f"the prompt {name} needs the argument {each!r}: {argument.description}")
        if len(value) > ARGUMENT_CHARS:
            raise BadInput(f"{each} has {len(value)} characters; {ARGUMENT_CHARS} are allowed")
        if argument.of:
            checks[argument.of](value)
        values[each] = value
    text = string.Template(prompt.text).safe_substitute(values)
    message = types.PromptMessage(role="user", content=types.TextContent(type="text", text=text))
    return types.GetPromptResult(description=prompt.description, messages=[message])
