"""What it takes to measure a table's rows again."""

import random
from collections.abc import Sequence

from schedcp_gym.envs.tables.file import Table
from schedcp_gym.lab import catalogue
from schedcp_gym.lab.store import Stored
from schedcp_gym.spec import source_sha256


class Catalogue:
    """The catalogue's sources by content: what a table's policies are measured with again."""

    def __init__(self) -> None:
        """Reads them."""
        sources = [catalogue.load_policy(name).source for name in catalogue.policy_names()]
        self._sources = {source_sha256(source): source for source in sources}

    def source(self, sha256: str) -> str | None:
        """A policy's source; None if it has changed since."""
        return self._sources.get(sha256)


def draw_rows(table: Table, sample: int | None, seed: int) -> Sequence[Stored]:
    """Rows of a table, drawn by chance; all if there is no number."""
    if sample is None or sample >= len(table.rows):
        return table.rows
    return random.Random(seed).sample(table.rows, sample)
