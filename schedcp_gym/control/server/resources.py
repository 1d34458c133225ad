"""Resources: what clients can read by its address, and subscribe to.

======================================  ==========================================================================
``schedcp://workloads/NAME``            a workload's declaration, as JSON
``schedcp://workloads/NAME/changes``    the state of its changes, as JSON; clients can subscribe to it
``schedcp://policies/NAME``             a policy's source
``schedcp://policies/NAME/card``        a policy's card
``schedcp://primitives/NAME``           a primitive's code with all that it needs, as a source that compiles
======================================  ==========================================================================
"""

import functools
import json
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any
from urllib.parse import quote, unquote

import mcp_types as types
import yaml

from schedcp_gym.control.repository import unit
from schedcp_gym.control.server.plane import ControlPlane
from schedcp_gym.control.server.tools.workloads import description_of
from schedcp_gym.control.server.values import plain
from schedcp_gym.lab.catalogue import unknown
from schedcp_gym.spec import BadInput

SCHEME = "schedcp://"
#: Number of resources in a page of the list.
PAGE = 100
_URI_CHARS = 300
_ADDRESS = re.compile(r"schedcp://(?P<kind>[a-z]+)/(?P<name>[^/?#]+)(?:/(?P<part>[a-z]+))?")
_WORDS = Path(__file__).with_name("resources.yaml")
JSON, C, TEXT = "application/json", "text/x-c", "text/plain"


@functools.cache
def _words() -> dict[str, dict[str, str]]:
    """Return titles and descriptions of the kinds of resources."""
    found: dict[str, dict[str, str]] = yaml.safe_load(_WORDS.read_text())
    return found


def changes_uri(workload: str) -> str:
    """Return the address of the state of a workload's changes."""
    return f"{SCHEME}workloads/{quote(workload, safe='')}/changes"


def listed(plane: ControlPlane, cursor: str | None) -> types.ListResourcesResult:
    """Return a page of the list of all resources.

    Raises:
        BadInput: The cursor is not from this list.
    """
    entries = [
        *((f"workloads/{name}", JSON, name) for name in plane.workload_names()),
        *((f"workloads/{name}/changes", JSON, name) for name in plane.workload_names()),
        *((f"policies/{record.name}", C, record.name) for record in plane.repository.policies()),
        *((f"primitives/{record.name}", C, record.name) for record in plane.repository.primitives()),
    ]
    first = 0
    if cursor is not None:
        if not re.fullmatch(r"\d{1,9}", cursor) or int(cursor) >= len(entries):
            raise BadInput("the cursor is not one that resources/list gave: list from the beginning")
        first = int(cursor)
    shown = [
        types.Resource(uri=SCHEME + quote(path), name=path, title=f"{_kind(path)['title']} {name}", mime_type=mime)
        for path, mime, name in entries[first : first + PAGE]
    ]
    following = str(first + PAGE) if first + PAGE < len(entries) else None
    return types.ListResourcesResult(resources=shown, next_cursor=following)


def _kind(path: str) -> dict[str, str]:
    parts = path.split("/")
    return _words()["/".join([parts[0], *parts[2:]])]


def templates() -> list[types.ResourceTemplate]:
    """Return the kinds of resources, by the form of their address."""
    mimes = {"workloads": JSON, "workloads/changes": JSON, "policies/card": TEXT}
    found = []
    for kind, words in _words().items():
        first, _, part = kind.partition("/")
        address = f"{SCHEME}{first}/{{name}}{f'/{part}' if part else ''}"
        found.append(
            types.ResourceTemplate(
                uri_template=address,
                name=kind.replace("/", "-"),
                title=words["title"],
                description=words["description"].strip(),
                mime_type=mimes.get(kind, C),
            )
        )
    return found


def read(plane: ControlPlane, uri: str) -> types.ReadResourceResult:
    """Read a resource.

    Raises:
        BadInput: There is no resource with the address.
    """
    kind, name = _parsed(uri)
    readers: dict[str, Callable[[ControlPlane, str], tuple[str, str]]] = {
        "workloads": _workload,
        "workloads/changes": _changes,
        "policies": lambda plane, name: (plane.policies.record(name).source, C),
        "policies/card": lambda plane, name: (plane.policies.record(name).card, TEXT),
        "primitives": _primitive,
    }
    text, mime = readers[kind](plane, name)
    return types.ReadResourceResult(contents=[types.TextResourceContents(uri=uri, text=text, mime_type=mime)])


def watched(plane: ControlPlane, uri: str) -> str:
    """Return the workload whose changes an address stands for.

    Raises:
        BadInput: The address stands for something else.
    """
    kind, name = _parsed(uri)
    if kind != "workloads/changes":
        raise BadInput(f"only changes of a workload can be subscribed to: {SCHEME}workloads/NAME/changes")
    return plane.workload(name).name


def _parsed(uri: str) -> tuple[str, str]:
    found = _ADDRESS.fullmatch(uri) if len(uri) <= _URI_CHARS else None
    kind = "/".join(filter(None, (found["kind"], found["part"]))) if found else ""
    if found is None or kind not in _words():
        forms = ", ".join(template.uri_template for template in templates())
        raise BadInput(f"there is no resource {uri[:80]!r}; addresses are {forms}")
    return kind, unquote(found["name"])


def _workload(plane: ControlPlane, name: str) -> tuple[str, str]:
    return json.dumps(plain(description_of(plane, name)), indent=1), JSON


def _changes(plane: ControlPlane, name: str) -> tuple[str, str]:
    state = plane.watch.state(name, plane.workload(name).digest)
    seen = state.seen
    told: dict[str, Any] = {
        "workload": name,
        "analysed_under": seen.policy if seen else None,
        "summary": seen.text if seen else "not analysed yet: call workload_changes",
        **(seen.data if seen else {}),
        "new_analysis_due": sorted(state.due.values()),
        "best_policy": state.best,
        "best_reward": state.best_reward,
        "in_charge": state.in_charge,
    }
    return json.dumps(plain(told), indent=1), JSON


def _primitive(plane: ControlPlane, name: str) -> tuple[str, str]:
    known = {each.name: each for each in plane.repository.primitives()}
    if name not in known:
        raise unknown("primitive", name[:80], known)
    return unit(known[name]), C
