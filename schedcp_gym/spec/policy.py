"""Policies and their tunables."""

import enum
import hashlib
import math
import operator
import re
import string
from collections.abc import Mapping
from typing import SupportsIndex

from pydantic import ConfigDict
from pydantic.dataclasses import dataclass

from schedcp_gym.spec.errors import BadInput

#: Name of the kernel's own scheduler, for which nothing is loaded.
EEVDF = "eevdf"

#: Characters that a text may have: the guest compares process and cgroup names byte by byte.
TEXT_CHARSET = string.ascii_letters + string.digits + "-_.:+/"
#: A process name has 15 characters at most (TASK_COMM_LEN - 1).
TEXT_MAX = 15

Value = int | bool | str


class TunableType(enum.StrEnum):
    """Types of tunables."""

    U32 = "u32"
    U64 = "u64"
    BOOL = "bool"
    TEXT = "text"
    CGROUP = "cgroup"


@dataclass(frozen=True, config=ConfigDict(extra="forbid"))
class Tunable:
    """A ``const volatile`` of a policy that may be set before the policy is loaded.

    Attributes:
        name: Name of the C variable, unit included (``slice_us``).
        type: Its type. ``text`` is the beginning of a process name, ``cgroup`` of a cgroup name: 15 characters at most.
        default: The value in the source.
        unit: ``us``, ``weight``, …; empty for names and bool.
        low: Smallest value (numbers).
        high: Largest value (numbers).
        log: Whether a search uses a logarithmic scale.
        description: One sentence.
    """

    name: str
    type: TunableType
    default: Value
    unit: str = ""
    low: int = 0
    high: int = 1
    log: bool = False
    description: str = ""

    @property
    def is_name(self) -> bool:
        """Return whether the value is a name, or the beginning of one."""
        return self.type in (TunableType.TEXT, TunableType.CGROUP)

    def check(self, value: object) -> Value:
        """Return the value in the tunable's type.

        Args:
            value: A Python or numpy value, or text such as ``3000`` or ``true``.

        Raises:
            BadInput: The value has the wrong type or is out of range.
        """
        if self.is_name:
            return self._check_text(value)
        if self.type is TunableType.BOOL:
            return self._check_bool(value)
        number = self._number(value)
        if not self.low <= number <= self.high:
            raise BadInput(f"{self.name}={number} is out of range: {self.low} to {self.high} {self.unit}".rstrip())
        return number

    def _number(self, value: object) -> int:
        wrong = BadInput(f"{self.name} takes a whole number, not {value!r}")
        if isinstance(value, SupportsIndex):  # int and numpy's integers, which may be too large for a float
            return operator.index(value)
        try:
            if isinstance(value, str):
                return int(re.sub(r"\.0*$", "", value))
            number = float(str(value))
        except ValueError:
            raise wrong from None
        if not math.isfinite(number) or number != int(number):
            raise wrong
        return int(number)

    def _check_bool(self, value: object) -> bool:
        known = {"1": True, "true": True, "0": False, "false": False}
        if str(value).lower() not in known:
            raise BadInput(f"{self.name} takes true or false, not {value!r}")
        return known[str(value).lower()]

    def _check_text(self, value: object) -> str:
        text, kind = str(value), "process" if self.type is TunableType.TEXT else "cgroup"
        if len(text) > TEXT_MAX or set(text) - set(TEXT_CHARSET):
            raise BadInput(
                f"{self.name} takes up to {TEXT_MAX} letters, digits or any of -_.:+/ (a {kind} name), not {text!r}"
            )
        return text


@dataclass(frozen=True, config=ConfigDict(extra="forbid"))
class Policy:
    """A sched_ext scheduler: a source and values for its tunables.

    Attributes:
        name: The catalogue's name, or the author's.
        source: BPF C; empty for ``eevdf``, the kernel's own scheduler.
        tunables: (name, value) pairs in order of name. Other tunables keep their defaults.

    Example:
        >>> Policy("fifo", source, check_tunables(tunables_of(source), {"slice_us": 3000}))
    """

    name: str
    source: str = ""
    tunables: tuple[tuple[str, Value], ...] = ()

    @property
    def is_eevdf(self) -> bool:
        """Return whether this is the kernel's own scheduler."""
        return not self.source


def source_sha256(source: str) -> str:
    """Return the SHA-256 (hex) of a policy's source; empty for EEVDF, which has no source."""
    return hashlib.sha256(source.encode()).hexdigest() if source else ""


def check_tunables(declared: tuple[Tunable, ...], values: Mapping[str, object]) -> tuple[tuple[str, Value], ...]:
    """Return the values, checked against their declarations, as (name, value) pairs in order of name.

    Args:
        declared: The policy's tunables.
        values: Tunable's name → value; some or all of them.

    Raises:
        BadInput: A tunable is not declared, or its value is not allowed.
    """
    by_name = {tunable.name: tunable for tunable in declared}
    for name in values:
        if name not in by_name:
            known = ", ".join(sorted(by_name)) or "it has none"
            raise BadInput(f"unknown tunable {name!r}; this policy has: {known}")
    return tuple((name, by_name[name].check(values[name])) for name in sorted(values))
