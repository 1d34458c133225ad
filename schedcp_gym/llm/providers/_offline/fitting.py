"""Makes a value fit a JSON schema: what it does not know is left out, what it demands is filled in."""

from collections.abc import Mapping
from typing import Any

_EMPTY: dict[str, Any] = {
    "string": "",
    "integer": 0,
    "number": 0.0,
    "boolean": False,
    "null": None,
}


def fit(value: Any, schema: Mapping[str, Any], root: Mapping[str, Any] | None = None) -> Any:
    """The nearest value that fits.

    Args:
        value: What is meant.
        schema: What it has to fit.
        root: Holds the definitions; the schema itself if not given.
    """
    root = root or schema
    schema = _resolved(schema, root)
    if "anyOf" in schema:
        chosen = next((one for one in schema["anyOf"] if _is_of(value, _resolved(one, root))), schema["anyOf"][-1])
        return fit(value, chosen, root)
    if "enum" in schema:
        return value if value in schema["enum"] else schema["enum"][0]
    if "const" in schema:
        return schema["const"]
    kind = schema.get("type")
    if kind == "object" or "properties" in schema:
        return _object(value if isinstance(value, Mapping) else {}, schema, root)
    if kind == "array":
        items = schema.get("items") or {}
        return [fit(item, items, root) for item in value] if isinstance(value, (list, tuple)) else []
    return value if _is_of(value, schema) else _EMPTY.get(str(kind), value)


def _object(value: Mapping[str, Any], schema: Mapping[str, Any], root: Mapping[str, Any]) -> dict[str, Any]:
    properties = schema.get("properties") or {}
    fitted = {name: fit(value[name], properties[name], root) for name in properties if name in value}
    for name in schema.get("required") or ():
        if name not in fitted:
            fitted[name] = fit(None, properties.get(name, {}), root)
    more = schema.get("additionalProperties")
    if more is not False and not (properties and more is None):
        known = more if isinstance(more, Mapping) else {}
        fitted |= {name: fit(item, known, root) for name, item in value.items() if name not in properties}
    return fitted


def _resolved(schema: Mapping[str, Any], root: Mapping[str, Any]) -> Mapping[str, Any]:
    while "$ref" in schema:
        target: Any = root
        for step in schema["$ref"].removeprefix("#/").split("/"):
            target = target[step]
        schema = target
    return schema


def _is_of(value: Any, schema: Mapping[str, Any]) -> bool:
    kinds = {
        "string": isinstance(value, str),
        "boolean": isinstance(value, bool),
        "integer": isinstance(value, int) and not isinstance(value, bool),
        "number": isinstance(value, (int, float)) and not isinstance(value, bool),
        "null": value is None,
        "array": isinstance(value, (list, tuple)),
        "object": isinstance(value, Mapping),
    }
    return kinds.get(str(schema.get("type")), True)
