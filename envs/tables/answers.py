"""The answers of a table, for one workload seed."""

from collections.abc import Sequence

from schedcp_gym.envs.choice import Choice
from schedcp_gym.envs.observation import nameable
from schedcp_gym.envs.tables.file import Table
from schedcp_gym.envs.tables.nearest import Nearest
from schedcp_gym.spec import EEVDF, Measurement, Policy


class Answers:
    """The recorded measurements of one workload seed.

    Attributes:
        baseline: EEVDF's measurement.
        names: Process names that a text tunable can have, in order of CPU time under EEVDF.
    """

    def __init__(self, table: Table, seed: int, choices: Sequence[Choice]) -> None:
        """Prepare the answers.

        Args:
            table: Holds measurements of all choices.
            seed: One of the table's.
            choices: The catalogue.
        """
        sources = {choice.name: choice.source for choice in choices}
        rows = [row for row in table.rows if row.config.seed == seed and row.config.policy in sources]
        self._measured = [row.measurement for row in rows]
        self._policies = [
            Policy(row.config.policy, sources[row.config.policy], tuple(sorted(row.config.tunables.items())))
            for row in rows
        ]
        self.baseline = next(row.measurement for row in rows if row.config.policy == EEVDF)
        self.names = nameable(self.baseline)
        self._nearest = Nearest(choices, self._policies, self.names)

    def find(self, policy: Policy) -> tuple[Policy, Measurement, float]:
        """Return the recorded configuration nearest to a policy, its measurement, and its distance (0 to 1)."""
        place, distance = self._nearest.find(policy)
        return self._policies[place], self._measured[place], distance
