"""Classes of workloads: what of a workload, or a policy's card, decides them."""

import fnmatch
import functools
from dataclasses import dataclass
from pathlib import Path

import yaml

from schedcp_gym.control.repository.card import good_sides
from schedcp_gym.control.repository.words import MARK, vocabulary
from schedcp_gym.lab.catalogue import unknown
from schedcp_gym.spec import Objective, Workload

_CLASSES = Path(__file__).with_name("classes.yaml")
MIXED = "mixed"


@dataclass(frozen=True)
class WorkloadClass:
    """A class, as ``classes.yaml`` declares it."""

    name: str
    title: str
    metrics: tuple[str, ...]
    concepts: frozenset[str]


@functools.cache
def workload_classes() -> dict[str, WorkloadClass]:
    """All classes by name."""
    declared = yaml.safe_load(_CLASSES.read_text())
    return {
        name: WorkloadClass(name, each["title"], tuple(each["metrics"]), frozenset(each["concepts"]))
        for name, each in declared.items()
    }


def check_class(name: str) -> str:
    """The name, if there is such a class.

    Raises:
        BadInput: There is none.
    """
    if name not in workload_classes():
        raise unknown("workload class", name, workload_classes())
    return name


def class_of(workload: Workload, objective: Objective | None = None) -> str:
    """A workload's class under its objective, or another."""
    weights = (objective or workload.objective).weights
    found = {
        each.name
        for each in workload_classes().values()
        for metric in weights
        if any(fnmatch.fnmatch(metric, pattern) for pattern in each.metrics)
    }
    return found.pop() if len(found) == 1 else MIXED


def classes_of_card(card: str) -> tuple[str, ...]:
    """The classes whose concepts the good sides of a card hold."""
    held = {word.removeprefix(MARK) for word in vocabulary().words(good_sides(card)) if word.startswith(MARK)}
    return tuple(each.name for each in workload_classes().values() if each.concepts & held)
