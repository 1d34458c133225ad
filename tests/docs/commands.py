"""The commands of a page: what a reader would type."""

import re
import shlex
from pathlib import Path

from schedcp_gym.paths import PACKAGE

ROOT = PACKAGE.parent
PAGES = [ROOT / "README.md", ROOT / "CONTRIBUTING.md", *sorted((ROOT / "docs").rglob("*.md"))]
_BLOCK = re.compile(r"^```sh[^\n]*\n(.*?)^```", re.MULTILINE | re.DOTALL)
_INLINE = re.compile(r"`(schedcp-gym [^`\n]+|(?:\.venv/bin/)?python -m schedcp_gym\.run [^`\n]+)`")


def lines(text):
    """The lines of a page's shell blocks; those that go on are one."""
    return "".join(_BLOCK.findall(text)).replace("\\\n", " ").splitlines()


def spoken(text):
    """The commands within a page's sentences, but those with an ellipsis or a bar: these words are not typed."""
    return [command for command in _INLINE.findall(text) if not re.search(r"[…|<>\[\]]", command)]


def commands(path: Path):
    """(program, words, whole) of each of a page's commands of ours: ``schedcp-gym`` or ``run``.

    What a sentence calls by its name alone, like ``schedcp-gym verify``, is not a whole command.
    """
    text = path.read_text()
    found = []
    for line, whole in [*((line, True) for line in lines(text)), *((line, False) for line in spoken(text))]:
        words = shlex.split(line, comments=True)
        while words and re.match(r"^[A-Z_]+=", words[0]):
            words.pop(0)
        if words and words[0].endswith("schedcp-gym"):
            found.append(("schedcp-gym", words[1:], whole or len(words) > 2))
        elif words[1:3] == ["-m", "schedcp_gym.run"]:
            found.append(("run", words[3:], True))
    return found
