"""What is asked of an entry before anything in it is believed: it comes from anybody."""

import os
import stat
from collections.abc import Iterator
from pathlib import Path

import yaml

from schedcp_gym.files import once, strict_json, whole_lines
from schedcp_gym.leaderboard.entry import read_runs
from schedcp_gym.leaderboard.refusal import Kind, Refusal
from schedcp_gym.run.folder import RUNS

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
    for path in sorted(entry.glob("*.json")):
        yield from _read_strictly(path.name, path.read_bytes())
    if not (entry / RUNS).exists():
        return  # that it is missing is told later
    try:
        runs = read_runs(entry)
    except (OSError, ValueError) as error:
        yield Refusal(Kind.DAMAGED, RUNS, f"can't be read: {error}")
        return
    for run in runs:
        for name, content in run.files.items():
            yield from _read_strictly(run.file(name), content)


def _read_strictly(where: str, content: bytes) -> Iterator[Refusal]:
    try:
        if where.endswith(".json"):
            strict_json(content)
        elif where.endswith(".jsonl"):
            for line in whole_lines(content).split(b"\n")[:-1]:
                strict_json(line)
        elif where.endswith(".yaml"):
            _strict_yaml(content.decode())
    except (ValueError, RecursionError, yaml.YAMLError) as error:
        told = "it is nested too deep" if isinstance(error, RecursionError) else str(error).split("\n")[0]
        yield Refusal(Kind.DAMAGED, where, f"can't be read: {told}")


def _strict_yaml(text: str) -> None:
    """A configuration that a run has written has no aliases; with some, a few lines can stand for gigabytes."""
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
