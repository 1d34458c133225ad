"""Evolutionary search over source, with a language model as the mutator."""

import json
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from schedcp_gym.baselines.agent import Agent, Assignment
from schedcp_gym.baselines.briefing import Brief, brief, evidence
from schedcp_gym.baselines.evolution.mutator import Child, question
from schedcp_gym.baselines.evolution.population import Archive, Genome, Island, Member, migrate
from schedcp_gym.baselines.toolbox import policy_source
from schedcp_gym.llm import CallFailed, CallOutcome, LlmBudgetSpent
from schedcp_gym.spec import BadInput, source_sha256

#: The agent's role in the ledger.
ROLE = "mutator"
#: After so many generations in a row without a new genome, the search ends.
BARREN = 3


@dataclass(frozen=True)
class Birth:
    """A genome that arrives on an island.

    Attributes:
        island: Number of the island, from 0.
        genome: The genome.
        parents: Keys of its parents; empty for an ancestor.
        change: The change, in the mutator's words.
    """

    island: int
    genome: Genome
    parents: tuple[str, ...] = ()
    change: str = ""


class Evolution(Agent):
    """Breeds policies: a language model makes a child of one or two parents that run, the measurement selects.

    The form is FunSearch's (Romera-Paredes et al., "Mathematical discoveries from program search with large language
    models", Nature 625, 2024): a program is evolved by a model that sees good ones, the better last, on islands that
    breed apart. As in AlphaEvolve (Novikov et al., arXiv 2506.13131) the mutator also sees the figures behind the
    reward, and why children failed. Islands are linked by migration in a ring, instead of FunSearch's culling, which
    needs thousands of evaluations; each keeps its fittest. No grid of behaviours is kept (MAP-Elites):
    diversity is the islands'.

    Every measured policy costs an evaluation, also the ancestors. A genome that is in the archive arrives on an island
    without another measurement. All children of a generation are made before the first is measured, so that they can be
    measured in parallel. Rewards are relative to EEVDF on the same data, so members of all episodes are comparable.
    """

    action = "Synth"
    uses_llm = True

    def __init__(
        self,
        *,
        islands: int = 3,
        children: int = 2,
        capacity: int = 8,
        parents: int = 2,
        temperature: float = 0.1,
        migrate_every: int = 3,
        ancestors: Sequence[str] = ("fifo", "vtime"),
        failures: int = 2,
        error_tokens: int = 1000,
    ) -> None:
        """Store the settings.

        Args:
            islands: Number of separate populations.
            children: Number of children of each island in a generation.
            capacity: Limit of the members of an island.
            parents: Limit of the parents of a child.
            temperature: Temperature of selection, in units of the reward.
            migrate_every: Generations between migrations.
            ancestors: Policies of the repository to begin with; empty: no tool is used, the model writes them.
            failures: Number of an island's last failed children in a prompt.
            error_tokens: Limit of the tokens of the error lines of each.

        Raises:
            BadInput: A number is too small.
        """
        if min(islands, children, capacity, parents, migrate_every) < 1:
            raise BadInput("evolution needs islands, children, capacity, parents and migrate_every of 1 or more")
        if temperature <= 0 or failures < 0 or error_tokens < 64:
            raise BadInput("evolution needs a temperature above 0, failures of 0 or more, error_tokens of 64 or more")
        self.islands = islands
        self.children = children
        self.capacity = capacity
        self.parents = parents
        self.temperature = temperature
        self.migrate_every = migrate_every
        self.ancestors = tuple(ancestors)
        self.failures = failures
        self.error_tokens = error_tokens
        self.uses_tools = bool(self.ancestors)

    def run(self, given: Assignment) -> None:
        """Breed until the budget is spent, or the mutator makes nothing new."""
        given.env.reset(seed=given.seed)
        archive, world = Archive(), [Island(self.capacity) for _ in range(self.islands)]
        generation = 1
        if self.ancestors:
            given.note({"iteration": generation})
            self._measure(given, archive, world, self._founders(given), generation)
            generation += 1
        barren = 0
        while barren < BARREN:
            given.note({"iteration": generation})
            measured = len(archive)
            births, stop = self._breed(given, archive, world, generation)
            self._measure(given, archive, world, births, generation)
            if stop:
                raise stop
            barren = barren + 1 if len(archive) == measured else 0
            if generation % self.migrate_every == 0:
                self._migrate(given, world, generation)
            generation += 1

    def _founders(self, given: Assignment) -> list[Birth]:
        """Return the ancestors in turn, so that each island has one and each ancestor is on an island."""
        assert given.tools is not None
        genomes = [Genome(policy_source(given.tools, name, "agent.ancestors")) for name in self.ancestors]
        return [
            Birth(place % self.islands, genomes[place % len(genomes)], change=self.ancestors[place % len(genomes)])
            for place in range(max(self.islands, len(genomes)))
        ]

    def _breed(
        self, given: Assignment, archive: Archive, world: Sequence[Island], generation: int
    ) -> tuple[list[Birth], LlmBudgetSpent | None]:
        """Return a generation, with no more new genomes than can be measured, and the budget's end, if it came."""
        task = brief(given, budget=False)
        births: list[Birth] = []
        # Islands take turns, so that a budget that ends in the middle of a generation is fair.
        for number in range(self.children * self.islands):
            new = {birth.genome.key for birth in births if birth.genome.key not in archive}
            if len(new) >= given.ledger.evaluations_left:
                break
            try:
                birth = self._child(given, task, world, generation, number)
            except LlmBudgetSpent as stop:
                return births, stop
            if birth:
                births.append(birth)
        return births, None

    def _child(
        self, given: Assignment, task: Brief, world: Sequence[Island], generation: int, number: int
    ) -> Birth | None:
        """Return one child; None if the answer could not be read, or the prompt is too long for the model."""
        assert given.llm is not None
        place = number % self.islands
        island = world[place]
        # A generator for each child, so that its parents do not depend on earlier draws.
        rng = np.random.default_rng([given.seed, generation, number])
        parents = island.parents(self.parents, self.temperature, rng)
        failed = island.failed[-self.failures :] if self.failures else []
        sample = (generation - 1) * self.children * self.islands + number
        given.tell(f"mutating: generation {generation}, island {place + 1}")
        noted = {"role": ROLE, "generation": generation, "island": place + 1}
        try:
            asked = question(task, parents, failed, self.error_tokens)
            reply = given.llm.chat(ROLE, asked, answer=Child, sample=sample)
        except CallFailed as error:
            if error.outcome is not CallOutcome.TOO_LONG:
                raise
            given.note({**noted, "outcome": error.outcome.value, "problem": str(error)})
            return None
        if reply.answer is None:
            given.note({**noted, "outcome": reply.outcome.value, "problem": reply.problem})
            return None
        return Birth(place, reply.answer.genome, tuple(parent.key for parent in parents), reply.answer.change)

    def _measure(
        self, given: Assignment, archive: Archive, world: Sequence[Island], births: Sequence[Birth], generation: int
    ) -> None:
        """Measure the new genomes, in order, and settle all on their islands."""
        ahead = {birth.genome.key: _action(birth.genome) for birth in births if birth.genome.key not in archive}
        is_ready = False
        for birth in births:
            key = birth.genome.key
            # Noted first: the step may be the one that spends the budget.
            given.note(_lineage(birth, generation, is_known=key in archive))
            if key not in archive:
                if not is_ready:
                    given.env.get_wrapper_attr("prefetch")(list(ahead.values()))
                    is_ready = True
                _, reward, _, truncated, info = given.env.step(ahead.pop(key))
                archive.add(_member(birth.genome, float(reward), info))
                if truncated:
                    given.env.reset()
                    is_ready = False  # the prefetched results belong to the old episode
            world[birth.island].settle(archive[key])

    def _migrate(self, given: Assignment, world: Sequence[Island], generation: int) -> None:
        for origin, target, member in migrate(world):
            given.note(
                {"migration": member.key, "generation": generation, "from_island": origin + 1, "to_island": target + 1}
            )


def _action(genome: Genome) -> dict[str, str]:
    return {"source": genome.source, "tunables": json.dumps(genome.tunables)}


def _member(genome: Genome, reward: float, info: dict[str, object]) -> Member:
    outcome = str(info["outcome"])
    if outcome != "ok":
        return Member(genome, reward, outcome, evidence=evidence(info))
    measured = info["measurement"]
    assert isinstance(measured, dict)
    return Member(genome, reward, metrics=measured["metrics"])


def _lineage(birth: Birth, generation: int, *, is_known: bool) -> dict[str, object]:
    """Return a birth as a note for the record."""
    return {
        "member": birth.genome.key,
        "generation": generation,
        "island": birth.island + 1,
        "parents": list(birth.parents),
        "change": birth.change,
        "source_sha256": source_sha256(birth.genome.source),
        "is_known": is_known,
    }
