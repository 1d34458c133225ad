"""Policies and rows for measuring a part of a table again."""

import random
from collections.abc import Sequence

from schedcp_gym.envs.tables.file import Table
from schedcp_gym.lab import catalogue
from schedcp_gym.lab.store import Stored
from schedcp_gym.spec import source_sha256


class Catalogue:
    """The catalogue's sources by digest."""

    def __init__(self) -> None:
        """Read the sources."""
        sources = [catalogue.load_policy(name).source for name in catalogue.policy_names()]
        self._sources = {source_sha256(source): source for source in sources}

    def source(self, sha256: str) -> str | None:
        """Return the source with this digest; None if no policy of the catalogue has it."""
        return self._sources.get(sha256)


def draw_rows(table: Table, sample: int | None, seed: int) -> Sequence[Stored]:
    """Return ``sample`` random rows of a table; all rows if it is None."""
    if sample is None or sample >= len(table.rows):
        return table.rows
    return random.Random(seed).sample(table.rows, sample)
