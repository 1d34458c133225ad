"""Evolution: the archive, selection, migration, what the mutator is asked; and a short search on the real kernel."""

import json
from collections import Counter
from types import SimpleNamespace

import numpy as np
import pytest

from schedcp_gym.baselines.briefing import Brief
from schedcp_gym.baselines.evolution.agent import BARREN, Evolution
from schedcp_gym.baselines.evolution.mutator import question
from schedcp_gym.baselines.evolution.population import Archive, Genome, Island, Member, migrate
from schedcp_gym.lab.catalogue import load_policy, tunables_of
from schedcp_gym.llm import LlmBudgetSpent
from schedcp_gym.llm.providers import Prompt
from schedcp_gym.llm.providers.offline import PROVIDER
from schedcp_gym.run.record import Record
from schedcp_gym.run.search import Run
from schedcp_gym.run.settings import read_settings
from schedcp_gym.spec import BadInput, source_sha256

FIFO = load_policy("fifo").source
TASK = Brief("TASK", {})


def member(name, reward, **more):
    return Member(Genome(name), reward, **more)


def island(*members, capacity=8):
    made = Island(capacity)
    for one in members:
        made.settle(one)
    return made


def names(members):
    return [one.genome.source.strip() for one in members]


def test_a_key_is_that_of_source_and_values():
    assert Genome("a").key == Genome("a\n\n", {}).key == source_sha256("a\n")[:12]
    assert Genome("a", {"x": 1, "y": 2}).key == Genome("a", {"y": 2, "x": 1}).key
    assert len({Genome("a").key, Genome("b").key, Genome("a", {"x": 1}).key, Genome("a", {"x": 2}).key}) == 4


def test_the_archive_keeps_the_first_of_a_key():
    archive = Archive()
    archive.add(member("a", 0.5))
    archive.add(member("a", 0.7))
    assert (len(archive), archive[Genome("a").key].reward, Genome("b").key in archive) == (1, 0.5, False)


def test_the_fittest_live_and_failures_are_remembered_apart():
    there = island(member("a", 0.1), member("b", 0.3), member("c", 0.2), member("b", 0.3), capacity=2)
    there.settle(member("x", -3.0, outcome="rejected", evidence="no"))
    assert names(there.living) == ["b", "c"]
    assert names(there.failed) == ["x"]
    assert there.best is not None
    assert names([there.best])[0] == "b"


def test_of_equals_the_shorter_source_comes_first():
    assert names(island(member("longer", 0.1), member("short", 0.1)).living) == ["short", "longer"]


def test_parents_are_drawn_by_fitness_the_fittest_last_nobody_twice():
    there = island(member("a", 0.3), member("b", 0.2), member("c", 0.0))
    drawn = [names(there.parents(2, 0.1, np.random.default_rng(seed))) for seed in range(400)]
    assert {tuple(pair) for pair in drawn} == {("b", "a"), ("c", "a"), ("c", "b")}
    counts = Counter(name for pair in drawn for name in pair)
    assert counts["a"] > counts["b"] > counts["c"] > 0
    assert there.parents(2, 0.1, np.random.default_rng(5)) == there.parents(2, 0.1, np.random.default_rng(5))


def test_temperature_goes_from_the_fittest_alone_to_all_alike():
    there = island(member("a", 0.3), member("b", 0.2))
    cold = Counter(names(there.parents(1, 0.001, np.random.default_rng(seed)))[0] for seed in range(200))
    hot = Counter(names(there.parents(1, 100.0, np.random.default_rng(seed)))[0] for seed in range(200))
    assert cold == {"a": 200}
    assert 70 < hot["b"] < 130


def test_parents_where_few_or_none_live():
    rng = np.random.default_rng(1)
    assert island().parents(2, 0.1, rng) == []
    assert names(island(member("a", -3.0)).parents(2, 0.1, rng)) == ["a"]
    assert len(island(member("a", 3.0), member("b", -3.0)).parents(2, 0.001, rng)) == 2


def test_migration_goes_around_a_ring_at_one_moment():
    world = [island(member("a", 0.3)), island(member("b", 0.2)), island(), island(member("a", 0.3))]
    moved = [(origin, target, one.genome.source.strip()) for origin, target, one in migrate(world)]
    # b, not a, goes on from the second island; a is on the first already; nobody leaves an empty one.
    assert moved == [(0, 1, "a"), (1, 2, "b")]
    assert [names(there.living) for there in world] == [["a"], ["a", "b"], ["b"], ["a"]]


def test_one_island_has_nowhere_to_migrate_to():
    assert migrate([island(member("a", 0.3))]) == []


def text_of(messages):
    return "\n".join(message["content"] for message in messages)


def test_the_mutator_sees_figures_of_parents_and_errors_but_no_source_of_failures():
    parents = [member("SOURCE_A", 0.0, metrics={"p99": 5.0}), member("SOURCE_B", np.log(2), metrics={"p99": 2.5})]
    failed = [member("SOURCE_X", -3.0, outcome="rejected", evidence="expected expression " * 900)]
    text = text_of(question(TASK, parents, failed, 100))
    assert text.index("TASK") < text.index("SOURCE_A") < text.index("SOURCE_B") < text.index("expected expression")
    assert '"improvement": 2' in text
    assert '"p99": 2.5' in text
    assert text.count("expected expression") < 60
    assert "SOURCE_X" not in text


def test_without_parents_the_mutator_sees_what_failed():
    text = text_of(question(TASK, [], [member("SOURCE_X", -3.0, outcome="rejected", evidence="bad")], 100))
    assert "SOURCE_X" in text
    assert "No policy works yet" in text


def mutated(parents, failed=(), draw=0):
    return json.loads(
        PROVIDER.answer(Prompt("mutator", "rules", question(TASK, parents, failed, 500), [], 4000, draw)).text
    )


def test_the_stand_in_makes_children_that_differ_from_the_parent_and_from_each_other():
    parent = Member(Genome(FIFO, {"slice_us": 4000}), 0.1, metrics={"p99": 1.0})
    children = [mutated([member("#include <other.h>", 0.0, metrics={}), parent], draw=draw) for draw in range(4)]
    keys = {Genome(child["source"], child["tunables"]).key for child in children}
    assert len(keys) >= 3
    assert parent.key not in keys
    assert all(child["change"] for child in children)
    assert any(child["source"] == FIFO and child["tunables"]["slice_us"] != 4000 for child in children)


def test_the_stand_in_writes_a_source_where_nothing_runs():
    child = mutated([], [member("int x = ;", -3.0, outcome="rejected", evidence="expected expression")])
    assert {tunable.name for tunable in tunables_of(child["source"])} == {"favour", "slice_us"}


class Model:
    """Answers what a list says, then has spent its budget."""

    def __init__(self, answers):
        self.answers = list(answers)

    def chat(self, role, messages, *, answer, sample):
        if not self.answers:
            raise LlmBudgetSpent("calls", 0)
        source = self.answers.pop(0)
        if source is None:
            return SimpleNamespace(answer=None, outcome=SimpleNamespace(value="malformed"), problem="no JSON")
        return SimpleNamespace(answer=answer(source=source), ok=True)


def bred(monkeypatch, answers, evaluations_left, archive=()):
    monkeypatch.setattr("schedcp_gym.baselines.evolution.agent.brief", lambda given, budget: TASK)
    known, notes = Archive(), []
    for one in archive:
        known.add(one)
    ledger = SimpleNamespace(evaluations_left=evaluations_left)
    given = SimpleNamespace(llm=Model(answers), ledger=ledger, seed=1, tell=lambda text: None, note=notes.append)
    agent = Evolution(islands=2, children=2, ancestors=())
    births, stop = agent._breed(given, known, [Island(4), Island(4)], 1)
    return [(birth.island, birth.genome.source.strip()) for birth in births], stop, given.llm.answers, notes


def test_islands_take_turns_and_no_more_is_asked_than_can_be_measured(monkeypatch):
    births, stop, unused, _ = bred(monkeypatch, "aabcde", 2)
    assert births == [(0, "a"), (1, "a"), (0, "b")]  # the second a costs nothing
    assert (stop, unused) == (None, ["c", "d", "e"])


def test_what_is_archived_is_bred_but_not_counted(monkeypatch):
    births, _, unused, _ = bred(monkeypatch, "kabc", 2, archive=[member("k", 0.1)])
    assert births == [(0, "k"), (1, "a"), (0, "b")]
    assert unused == ["c"]


def test_what_was_answered_comes_with_what_stopped_it(monkeypatch):
    births, stop, _, notes = bred(monkeypatch, ["a", None], 9)
    assert births == [(0, "a")]
    assert isinstance(stop, LlmBudgetSpent)
    assert [note["problem"] for note in notes] == ["no JSON"]


@pytest.mark.parametrize("wrong", [{"islands": 0}, {"temperature": 0}, {"failures": -1}, {"error_tokens": 1}])
def test_evolution_refuses_settings_that_make_no_sense(wrong):
    with pytest.raises(BadInput, match="evolution needs"):
        Evolution(**wrong)


def search(folder, evaluations, **settings):
    config = {
        "workload": {"name": "schbench"},
        "machine": {},
        "heldout": {},
        "budget": {"evaluations": evaluations},
        "llm": {"model": "offline/rules", "seed": 4},
        "seed": 4,
        "episode_steps": 4,
    }
    run = Run(read_settings(config), Evolution(**settings), "evolution", folder)
    run.search()
    return Record(folder).old


@pytest.mark.guest
def test_a_search_breeds_measures_once_and_goes_on_after_a_kill(tmp_path):
    entries = search(tmp_path, 6, islands=2, children=1, migrate_every=1)
    evaluations = [entry for entry in entries if entry["kind"] == "evaluation"]
    calls = [entry["llm"]["calls"] for entry in evaluations]
    assert calls == sorted(calls)
    assert calls[-1] > 0
    births = [entry for entry in entries if entry["kind"] == "note" and "member" in entry]
    assert len(evaluations) == 6
    assert len({(entry["source_sha256"], str(entry["tunables"])) for entry in evaluations}) == 6
    assert [birth["source_sha256"] for birth in births if not birth["is_known"]] == [
        entry["source_sha256"] for entry in evaluations
    ]
    known = [birth["member"] for birth in births]
    children = [birth for birth in births if birth["generation"] > 1]
    assert all(child["parents"] and set(child["parents"]) <= set(known) for child in children)
    assert any(entry["kind"] == "note" and "migration" in entry for entry in entries)
    assert {entry["episode"] for entry in evaluations} == {0, 1}
    assert sum(entry["outcome"] == "ok" for entry in evaluations) >= 4
    # As a kill leaves it: the record ends in the middle, the model's books are further.
    path = tmp_path / "record.jsonl"
    lines = path.read_text().splitlines(keepends=True)
    path.write_text("".join(lines[: len(lines) * 2 // 3]))
    calls = (tmp_path / "llm" / "transcript.jsonl").read_text()
    again = search(tmp_path, 6, islands=2, children=1, migrate_every=1)
    assert [{**entry, "host": None} for entry in again] == [{**entry, "host": None} for entry in entries]
    assert (tmp_path / "llm" / "transcript.jsonl").read_text() == calls


@pytest.mark.guest
def test_a_mutator_without_ideas_ends_the_search(tmp_path, monkeypatch):
    """The model writes one policy again and again: it is measured once, and the search gives up."""
    from schedcp_gym.llm.providers._offline.roles import ROLES

    monkeypatch.setitem(ROLES, "mutator", lambda talk: {"source": FIFO, "change": "none"})
    entries = search(tmp_path, 9, ancestors=(), islands=2, children=1)
    assert sum(entry["kind"] == "evaluation" for entry in entries) == 1
    assert sum("iteration" in entry for entry in entries) == 1 + BARREN
