"""Classes of workloads, from a workload's objective or from a policy's card."""

import fnmatch
import functools
import re
from dataclasses import dataclass
from pathlib import Path

import yaml

from schedcp_gym.control.repository.card import good_sides
from schedcp_gym.lab.catalogue import unknown
from schedcp_gym.spec import Objective, Workload

_CLASSES = Path(__file__).with_name("classes.yaml")
MIXED = "mixed"


@dataclass(frozen=True)
class WorkloadClass:
    """A class, as ``classes.yaml`` declares it.

    Attributes:
        name: The class.
        title: What its workloads have in common.
        metrics: Patterns of names of metrics: an objective with such a metric is of this class.
        words: Beginnings of words. A card whose good sides have such a word is of a policy for this class.
    """

    name: str
    title: str
    metrics: tuple[str, ...]
    words: tuple[str, ...]

    def fits(self, text: str) -> bool:
        """Return whether a text has one of the class's words."""
        return any(re.search(rf"\b{re.escape(word)}", text, re.IGNORECASE) for word in self.words)


@functools.cache
def workload_classes() -> dict[str, WorkloadClass]:
    """Return all classes by name."""
    declared = yaml.safe_load(_CLASSES.read_text())
    return {
        name: WorkloadClass(name, each["title"], tuple(each["metrics"]), tuple(each["words"]))
        for name, each in declared.items()
    }


def check_class(name: str) -> str:
    """Return the name.

    Raises:
        BadInput: There is no class of this name.
    """
    if name not in workload_classes():
        raise unknown("workload class", name, workload_classes())
    return name


def class_of(workload: Workload, objective: Objective | None = None) -> str:
    """Return a workload's class under an objective (by default its own); ``mixed`` if there is not exactly one."""
    weights = (objective or workload.objective).weights
    found = {
        each.name
        for each in workload_classes().values()
        for metric in weights
        if any(fnmatch.fnmatch(metric, pattern) for pattern in each.metrics)
    }
    return found.pop() if len(found) == 1 else MIXED


def classes_of_card(card: str) -> tuple[str, ...]:
    """Return the classes that the good sides of a card name."""
    text = good_sides(card)
    return tuple(each.name for each in workload_classes().values() if each.fits(text))
