"""What is asked of an entry before anything in it is believed: it comes from anybody."""

import itertools
import json
import math
import os
import stat
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import yaml

from schedcp_gym.leaderboard.refusal import Kind, Refusal

MIB = 2**20
#: Of a file, and of an entry. A record has some KiB for each trial; transcripts are the largest.
LARGEST_FILE = 256 * MIB
LARGEST_ENTRY = 2048 * MIB
MOST_FILES = 50_000


def look_over(entry: Path) -> list[Refusal]:
    """Whether an entry is plain files of a bearable size, in which each value is there once and each number finite."""
    return list(_shapes(entry)) or list(_texts(entry))


def _shapes(entry: Path) -> Iterator[Refusal]:
    """Nothing is opened here: a link may lead anywhere, and a pipe never ends."""
    count = total = 0
    for folder, names, files in os.walk(entry):
        for name in sorted([*names, *files]):
            path = Path(folder, name)
            where, found = path.relative_to(entry).as_posix(), path.lstat()
            count, total = count + 1, total + (found.st_size if stat.S_ISREG(found.st_mode) else 0)
            if stat.S_ISLNK(found.st_mode):
                yield Refusal(Kind.DAMAGED, where, "is a link, and an entry is whole in itself")
            elif not (stat.S_ISREG(found.st_mode) or stat.S_ISDIR(found.st_mode)):
                yield Refusal(Kind.DAMAGED, where, "is neither a file nor a folder")
            elif stat.S_ISREG(found.st_mode) and found.st_size > LARGEST_FILE:
                why = f"has {found.st_size // MIB} MiB; a file may have {LARGEST_FILE // MIB}"
                yield Refusal(Kind.DAMAGED, where, why)
            if count > MOST_FILES or total > LARGEST_ENTRY:
                why = f"the entry has more than {MOST_FILES} files, or than {LARGEST_ENTRY // MIB} MiB"
                yield Refusal(Kind.DAMAGED, where, why)
                return


def _texts(entry: Path) -> Iterator[Refusal]:
    manifests, runs = entry.glob("*.json"), entry.glob("runs/**/*")
    for path in sorted(itertools.chain(manifests, runs)):
        try:
            if path.suffix == ".json":
                strict_json(path.read_bytes())
            elif path.suffix == ".jsonl":
                lines = path.read_bytes()
                for line in lines[: lines.rfind(b"\n") + 1].splitlines():
                    strict_json(line)
            elif path.suffix == ".yaml":
                _strict_yaml(path.read_text())
        except (ValueError, RecursionError, yaml.YAMLError) as error:
            where = path.relative_to(entry).as_posix()
            told = "it is nested too deep" if isinstance(error, RecursionError) else str(error).split("\n")[0]
            yield Refusal(Kind.DAMAGED, where, f"can't be read: {told}")


def strict_json(text: bytes) -> Any:
    """A value, out of JSON as the standard has it: no NaN, nothing infinite, no key twice.

    Raises:
        ValueError: It is otherwise.
    """
    return json.loads(text, parse_constant=_finite, parse_float=_finite, object_pairs_hook=_once)


def _finite(word: str) -> float:
    number = float(word)
    if not math.isfinite(number):
        raise ValueError(f"{word} is not a finite number")
    return number


def _once(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) < len(pairs):
        names = [name for name, _value in pairs]
        raise ValueError(f"{next(name for name in names if names.count(name) > 1)!r} is there twice")
    return found


def _strict_yaml(text: str) -> None:
    """A configuration that a run has written has no aliases; with some, a few lines can stand for gigabytes."""
    if any(isinstance(event, yaml.AliasEvent) for event in yaml.parse(text, Loader=yaml.SafeLoader)):
        raise ValueError("it has an alias")
    waiting = [yaml.compose(text, Loader=yaml.SafeLoader)]
    while waiting:
        node = waiting.pop()
        if isinstance(node, yaml.MappingNode):
            _once([(str(key.value), None) for key, _value in node.value])
            waiting += [value for _key, value in node.value]
        elif isinstance(node, yaml.SequenceNode):
            waiting += node.value
