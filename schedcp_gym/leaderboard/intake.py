"""Check the files of an entry before they are used, because anybody can submit one."""

import os
import stat
from collections.abc import Iterator
from pathlib import Path

import yaml

from schedcp_gym.files import once, strict_json, whole_lines
from schedcp_gym.leaderboard.flaw import Flaw, FlawKind
from schedcp_gym.leaderboard.manifest import read_runs
from schedcp_gym.run.folder import RUNS

MIB = 2**20
#: Limits for a file and for an entry. A record has some KiB for each trial; transcripts are the largest files.
LARGEST_FILE = 256 * MIB
LARGEST_ENTRY = 2048 * MIB
MOST_FILES = 50_000


def look_over(entry: Path) -> list[Flaw]:
    """Check that an entry has only regular files of a limited size, without duplicate keys or infinite numbers."""
    return list(_shapes(entry)) or list(_texts(entry))


def _shapes(entry: Path) -> Iterator[Flaw]:
    """Check types and sizes without opening a file: a link can point anywhere, and reading a pipe may never end."""
    count = total = 0
    for folder, names, files in os.walk(entry):
        for name in sorted([*names, *files]):
            path = Path(folder, name)
            where, found = path.relative_to(entry).as_posix(), path.lstat()
            count, total = count + 1, total + (found.st_size if stat.S_ISREG(found.st_mode) else 0)
            if stat.S_ISLNK(found.st_mode):
                yield Flaw(FlawKind.DAMAGED, where, "is a link, but an entry must contain its files itself")
            elif not (stat.S_ISREG(found.st_mode) or stat.S_ISDIR(found.st_mode)):
                yield Flaw(FlawKind.DAMAGED, where, "is neither a file nor a folder")
            elif stat.S_ISREG(found.st_mode) and found.st_size > LARGEST_FILE:
                why = f"has {found.st_size // MIB} MiB; the limit is {LARGEST_FILE // MIB}"
                yield Flaw(FlawKind.DAMAGED, where, why)
            if count > MOST_FILES or total > LARGEST_ENTRY:
                why = f"the entry has more than {MOST_FILES} files, or more than {LARGEST_ENTRY // MIB} MiB"
                yield Flaw(FlawKind.DAMAGED, where, why)
                return


def _texts(entry: Path) -> Iterator[Flaw]:
    for path in sorted(entry.glob("*.json")):
        yield from _read_strictly(path.name, path.read_bytes())
    if not (entry / RUNS).exists():
        return  # a later check reports that it is missing
    try:
        runs = read_runs(entry)
    except (OSError, ValueError) as error:
        yield Flaw(FlawKind.DAMAGED, RUNS, f"cannot be read: {error}")
        return
    for run in runs:
        for name, content in run.files.items():
            yield from _read_strictly(run.file(name), content)


def _read_strictly(where: str, content: bytes) -> Iterator[Flaw]:
    try:
        if where.endswith(".json"):
            strict_json(content)
        elif where.endswith(".jsonl"):
            for line in whole_lines(content).split(b"\n")[:-1]:
                strict_json(line)
        elif where.endswith(".yaml"):
            _strict_yaml(content.decode())
    except (ValueError, RecursionError, yaml.YAMLError) as error:
        why = "it is nested too deeply" if isinstance(error, RecursionError) else str(error).split("\n")[0]
        yield Flaw(FlawKind.DAMAGED, where, f"cannot be read: {why}")


def _strict_yaml(text: str) -> None:
    """Check a configuration. Runs write none with aliases, with which a few lines can expand to gigabytes."""
    if any(isinstance(event, yaml.AliasEvent) for event in yaml.parse(text, Loader=yaml.SafeLoader)):
        raise ValueError("it has an alias")
    waiting = [yaml.compose(text, Loader=yaml.SafeLoader)]
    while waiting:
        node = waiting.pop()
        if isinstance(node, yaml.MappingNode):
            once([(str(key.value), None) for key, _value in node.value])
            waiting += [value for _key, value in node.value]
        elif isinstance(node, yaml.SequenceNode):
            waiting += node.value
