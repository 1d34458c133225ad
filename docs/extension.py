"""An extension for the documentation: it shows cross-reference roles in docstrings as plain names."""

import re
from typing import Any

import griffe

#: A role of Sphinx in a docstring. The pages show its last name only.
_ROLE = re.compile(r":(?:class|func|meth|mod|data|attr):`~?(?:[\w.]+\.)?(\w+)`")


class Roles(griffe.Extension):
    """Replace each role by the name of its object."""

    def on_instance(self, *, obj: griffe.Object, **_more: Any) -> None:
        """Change the docstring of an object that was read."""
        if obj.docstring:
            obj.docstring.value = _ROLE.sub(r"`\1`", obj.docstring.value)
