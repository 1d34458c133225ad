"""Steps and limits of a deployment, by the workload's scale and class."""

import functools
from pathlib import Path
from typing import Any

import yaml

from schedcp_gym.control.repository.classes import class_of
from schedcp_gym.control.verifier.canary import CanaryConfig
from schedcp_gym.spec import Objective, Scale, Workload

_RULES = Path(__file__).with_name("rollout.yaml")


def rollout(workload: Workload, objective: Objective, scale: Scale) -> CanaryConfig:
    """Return the steps and limits for a workload: ``rollout.yaml`` over the canary's defaults."""
    rules = _rules()
    return CanaryConfig(
        **rules["scale"].get(scale.value, {}),
        **rules["class"].get(class_of(workload, objective), {}),
    )


@functools.cache
def _rules() -> dict[str, dict[str, dict[str, Any]]]:
    rules: dict[str, dict[str, dict[str, Any]]] = yaml.safe_load(_RULES.read_text())
    return rules
