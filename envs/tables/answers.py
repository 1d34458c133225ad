"""What a table answers with, for one workload seed."""

from collections.abc import Sequence

from schedcp_gym.envs.choice import Choice
from schedcp_gym.envs.observation import nameable
from schedcp_gym.envs.tables.file import Table
from schedcp_gym.envs.tables.nearest import Nearest
from schedcp_gym.spec import EEVDF, Measurement, Policy


class Answers:
    """What was recorded with one workload seed.

    Attributes:
        baseline: EEVDF's measurement.
        names: What a text tunable can name, the process with most CPU time first.
    """

    def __init__(self, table: Table, seed: int, choices: Sequence[Choice]) -> None:
        """Prepares the answers.

        Args:
            table: Has measurements of all choices.
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
        """The configuration that answers for a policy, what it gave, and how far it is, 0 to 1."""
        place, distance = self._nearest.find(policy)
        return self._policies[place], self._measured[place], distance
