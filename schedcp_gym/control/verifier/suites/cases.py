"""The policies of a suite, each with its label: what is wrong with it, and the stage that must see it at the latest."""

import enum
import re
from collections.abc import Iterable, Sequence
from pathlib import Path

from pydantic import ConfigDict
from pydantic.dataclasses import dataclass

from schedcp_gym.control.verifier.report import Stage
from schedcp_gym.lab.catalogue import unknown
from schedcp_gym.paths import PACKAGE, POLICIES
from schedcp_gym.spec import BadInput

#: What a checkout has beside the library.
FOLDERS = ("planted", "attacks", "ported")
ENDING = ".bpf.c"
_FIRST_COMMENT = re.compile(r"\A(?:\s|//[^\n]*\n)*(/\*.*?\*/)", re.DOTALL)
_FIELD = re.compile(r"^(planted|attack|stage|caught-by):\s*", re.MULTILINE)
#: The label of the attacks that the source stage must refuse: a sentence, then the line and the words of the refusal.
_REFUSED = re.compile(r"/\*\s*(?P<attack>.+?)\s+refused:\s*(?P<words>.+?)\s*\*/", re.DOTALL)
#: A placeholder in attacks for the file that they try to read, and a file that every host has.
_SECRET = ("@SECRET@", "/etc/passwd")


class Group(enum.StrEnum):
    """A policy, and the verdict that is right for it."""

    PLANTED = "planted"  # a policy with one bug
    ATTACK = "attack"  # a source that attacks the host
    GOOD = "good"  # nothing is wrong with it


@dataclass(frozen=True, config=ConfigDict(extra="forbid"))
class Case:
    """A policy with a known answer.

    Attributes:
        name: The file's, without its ending.
        group: What is known of it.
        source: Its text, the label blanked out: what the verifier may know.
        stage: The stage that must catch it, at the latest; None for a good one.
        bug: What is wrong with it, in a sentence.
        caught_by: What is thought to catch it.
    """

    name: str
    group: Group
    source: str
    stage: Stage | None = None
    bug: str = ""
    caught_by: str = ""


def default_folders() -> list[Path]:
    """Return the library's folder, and in a checkout those of the labelled policies."""
    tests = PACKAGE.parent / "tests" / "control" / "verifier"
    return [POLICIES, *(folder for name in FOLDERS if (folder := tests / name).is_dir())]


def find_cases(folders: Iterable[Path], only: Sequence[str] = ()) -> list[Case]:
    """Return the policies of some folders, in order of folder and name.

    Args:
        folders: Where the ``.bpf.c`` files are. Those with a label must be caught, the others must pass.
        only: Names to choose; empty for all.

    Raises:
        BadInput: A folder has no policies, a label is wrong, or a name does not exist.
    """
    cases = []
    for folder in folders:
        paths = sorted(folder.glob(f"*{ENDING}"))
        if not paths:
            raise BadInput(f"{folder}: there are no {ENDING} files")
        cases += [read_case(path) for path in paths]
    known = {case.name for case in cases}
    for name in only:
        if name not in known:
            raise unknown("policy", name, known)
    return [case for case in cases if not only or case.name in only]


def read_case(path: Path) -> Case:
    """Read a policy's file with its label, if it has one.

    Raises:
        BadInput: The label has no sentence, or names no stage.
    """
    # An attack need not be text; what is not is for the verifier to refuse.
    text = path.read_text(errors="replace")
    name = path.name.removesuffix(ENDING)
    found = _FIRST_COMMENT.match(text)
    fields = _fields(found[1]) if found else {}
    group = next((group for group in (Group.PLANTED, Group.ATTACK) if group in fields), Group.GOOD)
    if found is None or group is Group.GOOD:
        if "stage" in fields:
            raise BadInput(f"{path}: the label names a stage, but neither planted nor attack")
        return Case(name, Group.GOOD, text)
    stage = fields.get("stage", "")
    if not fields[group]:
        raise BadInput(f"{path}: the label does not say what is wrong with the policy")
    if stage not in set(Stage):
        raise BadInput(f"{path}: the label's stage is {stage!r}, not one of {', '.join(Stage)}")
    blank = "\n" * found[1].count("\n")  # lines keep their numbers
    source = text[: found.start(1)] + blank + text[found.end(1) :].replace(*_SECRET)
    return Case(name, group, source, Stage(stage), fields[group], fields.get("caught-by", ""))


def _fields(comment: str) -> dict[str, str]:
    if refused := _REFUSED.match(comment):
        return {"attack": refused["attack"], "stage": Stage.SOURCE, "caught-by": refused["words"]}
    lines = (line.strip().removeprefix("*").strip() for line in comment[2:-2].splitlines())
    parts = _FIELD.split("\n".join(lines))
    return {name: " ".join(text.split()) for name, text in zip(parts[1::2], parts[2::2], strict=True)}
