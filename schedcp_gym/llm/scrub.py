"""Removal of secrets from texts before they are sent, saved or shown."""

import os
import re
from collections.abc import Callable
from typing import Any

MASK = "[secret]"
_SHORTEST = 12

_SECRET_VARIABLE = re.compile(r"(?i)(_|^)(key|token|secret|password|passwd|credentials?)(_id)?$")
_SECRET_FIELD = re.compile(r"(?i)^(proxy-)?authorization$|^(x-)?api[-_]?key$|^(secret|access)[-_]key$|^password$")
#: (pattern, replacement). Some patterns require digits, so that plain words do not match.
_PATTERNS: tuple[tuple[re.Pattern[str], str], ...] = (
    (re.compile(r"(?s)-----BEGIN [A-Z ]*PRIVATE KEY-----.*?-----END [A-Z ]*PRIVATE KEY-----"), MASK),
    (re.compile(r"\b[spr]k-(?=[\w*-]*[\d*])[\w*-]{8,}"), MASK),
    (re.compile(r"\b(gsk|hf|ghp|gho|ghs|ghu|github_pat|glpat|xai|r8|pplx)[_-](?=\w*\d)[\w-]{16,}"), MASK),
    (re.compile(r"\bxox[abeoprs]-[\w-]{8,}|\bAKIA[0-9A-Z]{16}\b|\bAIza[\w-]{30,}"), MASK),
    (re.compile(r"\beyJ[\w-]{8,}\.eyJ[\w-]{8,}\.[\w-]{8,}"), MASK),
    (re.compile(r"(?i)\b(bearer)\s+(?=\S*\d)[\w.~+/=-]{8,}"), rf"\1 {MASK}"),
    (
        re.compile(r"(?i)(authorization[\"']?\s*[:=]\s*[\"']?)((?:basic|bearer|token)\s+)?[^\s\"',;}\[]{6,}"),
        rf"\1{MASK}",
    ),
    (
        re.compile(r"(?i)((?:api|secret|access)[-_]?key[\"']?\s*[:=]\s*[\"']?)(?=[^\s\"',;}]*\d)[^\s\"',;}\[]{8,}"),
        rf"\1{MASK}",
    ),
    (re.compile(r"(\b[a-z][a-z0-9+.-]*://)[^/\s:@]+:[^/\s@]+@"), rf"\1{MASK}@"),
)


def scrub(value: Any) -> Any:
    """Return a text, or plain values with texts in them, without anything that looks like a secret.

    Secrets are: values of environment variables with a telling name, keys in the forms of well-known providers,
    ``Authorization`` headers and the like, private keys, passwords in URLs.
    """
    secrets = sorted(set(_environment_secrets()), key=len, reverse=True)

    def clean(text: str) -> str:
        # A lone half of a surrogate pair, for example from a log, can't be sent.
        text = text.encode(errors="replace").decode()
        for secret in secrets:
            text = text.replace(secret, MASK)
        for pattern, place in _PATTERNS:
            text = pattern.sub(place, text)
        return text

    return _walk(value, clean)


def _walk(value: Any, clean: Callable[[str], str]) -> Any:
    if isinstance(value, str):
        return clean(value)
    if isinstance(value, dict):
        return {
            key: MASK if isinstance(item, str) and _SECRET_FIELD.search(str(key)) else _walk(item, clean)
            for key, item in value.items()
        }
    if isinstance(value, (list, tuple)):
        return [_walk(item, clean) for item in value]
    return value


def _environment_secrets() -> list[str]:
    return [
        value
        for name, value in os.environ.items()
        # A path or a sentence is not a key, whatever its variable's name.
        if _SECRET_VARIABLE.search(name) and len(value) >= _SHORTEST and not re.search(r"^[/~.]|\s", value)
    ]
