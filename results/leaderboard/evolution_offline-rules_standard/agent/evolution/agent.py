"""Evolutionary search over source, with a language model as the mutator."""

import json
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from schedcp_gym.baselines.agent import Agent, Assignment
from schedcp_gym.baselines.briefing import evidence, task_text
from schedcp_gym.baselines.evolution.mutator import Child, question
from schedcp_gym.baselines.evolution.population import Archive, Genome, Island, Member, migrate
from schedcp_gym.baselines.toolbox import policy_source
from schedcp_gym.llm import CallFailed, CallOutcome, LlmBudgetSpent
from schedcp_gym.spec import BadInput, source_sha256

#: As whom it asks: the ledger's role.
ROLE = "mutator"
#: So many generations in a row without anything new to measure, and the mutator is taken to have no ideas left.
BARREN = 3


@dataclass(frozen=True)
class Birth:
    """A genome that comes to an island.

    Attributes:
        island: Its number, from 0.
        genome: What it is.
        parents: Keys of those it was made of; none for an ancestor.
        change: What was changed, in the mutator's words.
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

    Every policy that is measured costs an evaluation, the ancestors too. What is in the archive already comes to
    an island without being measured again. A generation is bred before any of it is measured, so all of it can be
    measured at once. A reward is against EEVDF on the same data; members of different episodes are compared by it.
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
        """Sets what can be set.

        Args:
            islands: Populations that breed by themselves.
            children: Of each island in a generation.
            capacity: Members that can live on an island.
            parents: Members that a child is made of, at most.
            temperature: Of selection, in units of the reward.
            migrate_every: Generations between migrations.
            ancestors: Policies of the repository to begin with; none: no tool is used, the model writes them.
            failures: Of an island's last failed children, so many are told to the mutator.
            error_tokens: Tokens of the error lines of each.

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
        """Breeds until the budget is spent, or the mutator brings nothing new."""
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
        """The ancestors, dealt in turn, so that each island has one at least and each lives somewhere."""
        assert given.tools is not None
        genomes = [Genome(policy_source(given.tools, name, "agent.ancestors")) for name in self.ancestors]
        return [
            Birth(place % self.islands, genomes[place % len(genomes)], change=self.ancestors[place % len(genomes)])
            for place in range(max(self.islands, len(genomes)))
        ]

    def _breed(
        self, given: Assignment, archive: Archive, world: Sequence[Island], generation: int
    ) -> tuple[list[Birth], LlmBudgetSpent | None]:
        """A generation, as many new ones at most as can still be measured; and what stopped it, if something did."""
        task = task_text(given, budget=False)
        births: list[Birth] = []
        # Islands take turns, so that a budget that ends in the middle favours none.
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
        self, given: Assignment, task: str, world: Sequence[Island], generation: int, number: int
    ) -> Birth | None:
        """One child; None if the answer could not be read, or the prompt is too long for the model."""
        assert given.llm is not None
        place = number % self.islands
        island = world[place]
        # A generator for each child: who is drawn does not depend on what was drawn for others.
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
        """Measures those that are new, in order, and lets all settle."""
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
                    is_ready = False  # what was measured ahead was for the old episode's data
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
    """A birth for the record: who, where, of whom."""
    return {
        "member": birth.genome.key,
        "generation": generation,
        "island": birth.island + 1,
        "parents": list(birth.parents),
        "change": birth.change,
        "source_sha256": source_sha256(birth.genome.source),
        "is_known": is_known,
    }
