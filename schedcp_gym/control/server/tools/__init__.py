"""The tools, one module for each group."""

import functools
import importlib
import pkgutil

from schedcp_gym.control.server.tool import ToolFunction


@functools.cache
def all_tools() -> dict[str, ToolFunction]:
    """Return all tools by name, group by group."""
    found: dict[str, ToolFunction] = {}
    for module in sorted(each.name for each in pkgutil.iter_modules(__path__)):
        group = importlib.import_module(f"{__name__}.{module}")
        found |= {each.name: each for each in vars(group).values() if isinstance(each, ToolFunction)}
    return found
