"""The rules, a module each, and how all of them are found."""

import functools
import importlib
import pkgutil

from schedcp_gym.control.verifier.source.rule import Rule


@functools.cache
def all_rules() -> tuple[Rule, ...]:
    """Return all rules: a module of this package with a ``RULE`` is one."""
    modules = sorted(module.name for module in pkgutil.iter_modules(__path__))
    return tuple(importlib.import_module(f"{__name__}.{name}").RULE for name in modules)
