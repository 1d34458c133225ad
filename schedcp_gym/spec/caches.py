"""The data of a workload's processes in the caches, as its declaration states it."""

import re
from typing import Annotated

from pydantic import ConfigDict, Field, model_validator
from pydantic.dataclasses import dataclass

#: The largest footprint that can be declared.
MOST_KIB = 65536
#: The largest number of characters in a process name (the kernel's comm).
NAME_LENGTH = 15

Kib = Annotated[int, Field(ge=0, le=MOST_KIB, strict=True)]
_NAME = re.compile(rf"[^*\s]{{1,{NAME_LENGTH}}}\*?|\*")


@dataclass(frozen=True, config=ConfigDict(extra="forbid"))
class Caches:
    """Footprints by process name, for a machine with a cache model.

    A name that ends in ``*`` stands for all names with that beginning; ``*`` alone stands for every other process.

    Attributes:
        footprint_kib: Process name → KiB that the process uses again when it continues after another one on its CPU.
        shared_kib: ``waker wakee``, or ``*`` for every other pair → KiB that both use.
        stream_mib_per_s: Process name → MiB per second of CPU time that it reads into the caches and uses only once.

    Raises:
        ValueError: A name is not allowed, or a number is out of range.
    """

    footprint_kib: dict[str, Kib] = Field(default_factory=dict)
    shared_kib: dict[str, Kib] = Field(default_factory=dict)
    stream_mib_per_s: dict[str, Annotated[float, Field(ge=0, le=MOST_KIB)]] = Field(default_factory=dict)

    @model_validator(mode="after")
    def _has_names(self) -> "Caches":
        for field, pairs in (("footprint_kib", False), ("shared_kib", True), ("stream_mib_per_s", False)):
            for key in getattr(self, field):
                names = key.split(" ")
                if (len(names) == 2) != (pairs and key != "*") or not all(map(_NAME.fullmatch, names)):
                    what = "two process names, 'waker wakee', or '*'" if pairs else "a process name"
                    raise ValueError(
                        f"{field}: {key!r} is not {what}: at most {NAME_LENGTH} characters, '*' at the end only"
                    )
        return self
