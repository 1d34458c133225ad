"""Catalogue policies as actions: their spaces, and the conversion between actions and policies."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, SupportsInt

import numpy as np
from gymnasium import spaces

from schedcp_gym.lab import catalogue
from schedcp_gym.spec import BadInput, Policy, Tunable, TunableType, check_tunables
from schedcp_gym.spec.policy import TEXT_CHARSET, TEXT_MAX, Value


@dataclass(frozen=True)
class Choice:
    """A catalogue policy that an action may choose, with its tunables."""

    name: str
    source: str
    tunables: tuple[Tunable, ...]

    def policy(self, values: Mapping[str, object]) -> Policy:
        """Return the policy with values for some or all of its tunables.

        Raises:
            BadInput: There is no such tunable, or a value is not allowed.
        """
        return Policy(self.name, self.source, check_tunables(self.tunables, values))


def load_choices() -> tuple[Choice, ...]:
    """Return all policies of the catalogue: ``eevdf`` first, the others in order of name."""
    loaded = [catalogue.load_policy(name) for name in catalogue.policy_names()]
    return tuple(Choice(policy.name, policy.source, catalogue.tunables_of(policy.source)) for policy in loaded)


def value_at(tunable: Tunable, share: float) -> Value:
    """Return the value of a number or bool at a share of its range, on the tunable's declared scale.

    Args:
        tunable: A number or bool.
        share: 0 (the lowest value, or False) to 1 (the highest, or True).

    Example:
        >>> value_at(Tunable("slice_us", TunableType.U64, 5000, "us", 100, 1_000_000, log=True), 0.5)
        10000
    """
    if tunable.type is TunableType.BOOL:
        return share >= 0.5
    if not tunable.log:
        number = tunable.low + share * (tunable.high - tunable.low)
    else:
        low = max(tunable.low, 1)
        number = low * math.exp(share * math.log(tunable.high / low))
    return min(max(round(number), tunable.low), tunable.high)


def share_of(tunable: Tunable, value: Value) -> float:
    """Return the share (0 to 1) of its range at which a number or bool has a value: the inverse of :func:`value_at`."""
    if tunable.type is TunableType.BOOL:
        return float(bool(value))
    low = max(tunable.low, 1) if tunable.log else tunable.low
    number = max(int(value), low)
    if tunable.high <= low:
        return 0.0
    if tunable.log:
        return math.log(number / low) / math.log(tunable.high / low)
    return (number - low) / (tunable.high - low)


def tune_space(choices: Sequence[Choice]) -> spaces.Dict:
    """Return the action space of :class:`~schedcp_gym.envs.tune.TuneEnv`."""
    tunables: dict[str, spaces.Space[Any]] = {
        choice.name: spaces.Dict({tunable.name: _space_of(tunable) for tunable in choice.tunables})
        for choice in choices
        if choice.tunables
    }
    return spaces.Dict({"policy": spaces.Discrete(len(choices)), "tunables": spaces.Dict(tunables)})


def _space_of(tunable: Tunable) -> spaces.Space[Any]:
    if tunable.is_name:
        return spaces.Text(min_length=0, max_length=TEXT_MAX, charset=TEXT_CHARSET)
    if tunable.type is TunableType.BOOL:
        return spaces.Discrete(2)
    return spaces.Box(tunable.low, tunable.high, shape=(), dtype=np.int64)


def decode_tune(choices: Sequence[Choice], action: Mapping[str, Any]) -> Policy:
    """Return the policy of a Tune action. Tunables that are left out keep their defaults.

    Raises:
        BadInput: There is no such policy or tunable, or a value is not allowed.
    """
    if not isinstance(action, Mapping) or "policy" not in action:
        raise BadInput("the action must be a dict with 'policy' (a number) and 'tunables'")
    choice = choices[_index(action["policy"], len(choices))]
    everything = action.get("tunables") or {}
    if not isinstance(everything, Mapping) or not isinstance(everything.get(choice.name, {}), Mapping):
        raise BadInput("the action's 'tunables' must be a dict: policy name → tunable name → value")
    return choice.policy({name: _plain(value) for name, value in everything.get(choice.name, {}).items()})


def encode_tune(choices: Sequence[Choice], policy: str, values: Mapping[str, object]) -> dict[str, Any]:
    """Return the Tune action for a policy: the inverse of :func:`decode_tune`.

    Args:
        choices: The catalogue.
        policy: Name of the policy.
        values: Values for some or all of its tunables; the others have their defaults.

    Raises:
        BadInput: There is no such policy or tunable, or a value is not allowed.
    """
    names = [choice.name for choice in choices]
    if policy not in names:
        raise catalogue.unknown("policy", policy, names)
    chosen = choices[names.index(policy)]
    given = dict(chosen.policy(values).tunables)
    tunables = {
        choice.name: {
            tunable.name: _element(tunable, given.get(tunable.name, tunable.default) if choice is chosen else None)
            for tunable in choice.tunables
        }
        for choice in choices
        if choice.tunables
    }
    return {"policy": np.int64(names.index(policy)), "tunables": tunables}


def _element(tunable: Tunable, value: Value | None) -> Any:
    value = tunable.default if value is None else value
    if tunable.is_name:
        return str(value)
    return np.int64(int(value)) if tunable.type is TunableType.BOOL else np.array(int(value), np.int64)


def flat_size(choices: Sequence[Choice]) -> int:
    """Return the length of a flat action: one number for the policy, one for every tunable of every policy."""
    return 1 + sum(len(choice.tunables) for choice in choices)


def flat_space(choices: Sequence[Choice]) -> spaces.Box:
    """Return the action space of :class:`~schedcp_gym.envs.tune_flat.TuneFlatEnv`."""
    return spaces.Box(-1, 1, shape=(flat_size(choices),), dtype=np.float32)


def decode_flat(choices: Sequence[Choice], action: Any, names: Sequence[str]) -> Policy:
    """Return the policy of a TuneFlat action.

    Args:
        choices: The catalogue, in order.
        action: Vector of ``flat_size(choices)`` numbers. Numbers outside of [-1, 1] count as the nearer end.
        names: Process names that a text tunable may have, beside the empty text. A cgroup tunable stays empty.

    Raises:
        BadInput: The action is not a vector of numbers, has the wrong length, or holds a NaN or infinite number.
    """
    try:
        numbers = np.asarray(action, dtype=np.float64).ravel()
    except (TypeError, ValueError) as error:
        raise BadInput(f"an action is a vector of numbers: {error}") from None
    if numbers.shape != (flat_size(choices),) or not np.isfinite(numbers).all():
        raise BadInput(f"the action must be {flat_size(choices)} finite numbers")
    shares = [float(share) for share in (np.clip(numbers, -1, 1) + 1) / 2]
    choice = choices[_slot(shares[0], len(choices))]
    before = 1 + sum(len(other.tunables) for other in choices[: choices.index(choice)])
    values: dict[str, object] = {}
    for tunable, share in zip(choice.tunables, shares[before:], strict=False):
        if tunable.type is TunableType.TEXT:
            values[tunable.name] = ["", *names][_slot(share, 1 + len(names))]
        elif not tunable.is_name:
            values[tunable.name] = value_at(tunable, share)
    return choice.policy(values)


def _slot(share: float, slots: int) -> int:
    return min(int(share * slots), slots - 1)


def _index(value: SupportsInt, size: int) -> int:
    try:
        index = int(value)
    except (TypeError, ValueError):
        raise BadInput(f"the action's 'policy' must be a number from 0 to {size - 1}, not {value!r}") from None
    if not 0 <= index < size:
        raise BadInput(f"the action's 'policy' must be a number from 0 to {size - 1}, not {index}")
    return index


def _plain(value: Any) -> Any:
    """Return a numpy value as a Python value."""
    return value.item() if isinstance(value, (np.ndarray, np.generic)) and value.size == 1 else value
