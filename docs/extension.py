"""Docstrings for the documentation: the code's cross-reference roles as plain names."""

import re
from typing import Any

import griffe

#: A role of Sphinx, as the docstrings have it; what a reader wants is the last name.
_ROLE = re.compile(r":(?:class|func|meth|mod|data|attr):`~?(?:[\w.]+\.)?(\w+)`")


class Roles(griffe.Extension):
    """Shows the object's name in place of a role."""

    def on_instance(self, *, obj: griffe.Object, **_more: Any) -> None:
        """Called for each object that is read."""
        if obj.docstring:
            obj.docstring.value = _ROLE.sub(r"`\1`", obj.docstring.value)
