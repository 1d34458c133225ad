"""What a search finds, by questions written before it was tuned; filters; how long it takes among many."""

import statistics
import time
from pathlib import Path

import lancedb
import pyarrow as pa
import pytest
import yaml

from repository.variants import variants
from schedcp_gym.control.repository import (
    Antipattern,
    How,
    Kind,
    Parent,
    PolicyRecord,
    export_lines,
    open_library,
)
from schedcp_gym.control.repository.entry import keywords
from schedcp_gym.control.repository.store import ENTRIES
from schedcp_gym.spec import BadInput

HERE = Path(__file__).parent
MANY = 10_000
#: The bars of issue 5.
AMONG_FIRST = 3
SHARE = 0.9
MEDIAN_S = 0.050


def queries(name):
    return yaml.safe_load((HERE / f"{name}.yaml").read_text())


def share_found(repository, asked, root=lambda name: name):
    """The share of queries with a relevant policy among the first, and those without."""
    missed = []
    for query in asked:
        hits = repository.search(query["ask"], limit=AMONG_FIRST)
        names = {root(hit.record.name) for hit in hits}
        if not names & set(query["relevant"]):
            missed.append((query["ask"], sorted(names)))
    return 1 - len(missed) / len(asked), missed


@pytest.mark.parametrize(("name", "count"), [("queries", 40), ("queries_held_out", 20)])
def test_relevant_policies_are_among_the_first(library, name, count):
    asked = queries(name)
    assert len(asked) == count
    share, missed = share_found(library, asked)
    assert share >= SHARE, missed


def test_queries_name_policies_that_exist(library):
    names = {record.name for record in library.policies()}
    assert len(names) >= 14
    for query in queries("queries") + queries("queries_held_out"):
        assert set(query["relevant"]) <= names
        assert len(query["relevant"]) <= AMONG_FIRST


@pytest.fixture(scope="module")
def crowd(tmp_path_factory):
    """Ten thousand variants beside the library."""
    repository = open_library(tmp_path_factory.mktemp("crowd"))
    repository.put(variants(MANY))
    return repository


def test_among_ten_thousand_the_right_family_is_found_in_time(crowd):
    parents = {each.name: each.parents[0].name if each.parents else each.name for each in crowd.policies()}
    assert len(parents) >= MANY
    asked = queries("queries")
    share, missed = share_found(crowd, asked, parents.__getitem__)
    assert share >= SHARE, missed
    # CPU time of all threads: unlike wall-clock time it does not depend on who else uses the host.
    spent = []
    for query in asked:
        began = time.process_time()
        crowd.search(query["ask"])
        spent.append(time.process_time() - began)
    assert statistics.median(spent) <= MEDIAN_S


def test_variants_of_one_policy_do_not_fill_the_answer(crowd):
    hits = crowd.search("keep one long job from finishing last", limit=6)
    families = [hit.record.parents[0].name if hit.record.parents else hit.record.name for hit in hits]
    assert families[0] == "ljf"
    assert max(families.count(family) for family in families) <= 2


@pytest.mark.parametrize(
    ("asked", "policy"),
    [
        ("weigh", "mine"),  # another form of a word of the card
        ("weighing tortoises", "mine"),
        ("Tortoises' WEIGHTS!", "mine"),
        ("straggler", "ljf"),  # a keyword: the card calls it one long job
        ("stragler", "ljf"),  # a typing error
        ("lotery", "lottery"),
    ],
)
def test_other_forms_typing_errors_and_keywords_find_a_policy(repository, asked, policy):
    repository.put([PolicyRecord(name="mine", source="int x;", card="mine: weighs each tortoise.")])
    assert repository.search(asked, limit=1)[0].record.name == policy


def test_policies_made_from_another_are_found_by_its_keywords(repository):
    child = PolicyRecord(name="kid", source="int x;", card="kid: okapi.", parents=(Parent("ljf", How.PATCHED),))
    grandchild = PolicyRecord(name="kids-kid", source="int y;", card="y.", parents=(Parent("kid", How.PATCHED),))
    repository.put([child, grandchild])
    found = {hit.record.name for hit in repository.search("straggler", limit=100) if hit.keyword > 0}
    assert {"ljf", "kid", "kids-kid"} <= found


def test_keywords_are_of_policies_of_the_library(library):
    assert set(keywords()) <= {record.name for record in library.policies()}


def test_store_with_an_older_index_is_converted(tmp_path, result):
    """Stores once had stems in a column of their own and vectors made without a model."""
    was = open_library(tmp_path)
    was.add(PolicyRecord(name="mine", source="int x;", card="mine: weighs each tortoise."))
    was.record(result("mine"))
    before = list(export_lines(was))
    rows = was.store.table(ENTRIES).to_arrow().drop_columns("text")
    rows = rows.append_column("words", [["old stems"] * len(rows)])
    rows = rows.append_column("vector", pa.array([[0.5, 0.5]] * len(rows), pa.list_(pa.float32(), 2)))
    lancedb.connect(tmp_path / "lance").create_table(ENTRIES, rows, mode="overwrite")
    was.store.set_meta(embedder="local-1-384-0123456789ab", text=None)
    now = open_library(tmp_path)
    assert list(export_lines(now)) == before
    assert now.search("tortoises", outcome="ok")[0].record.name == "mine"
    assert now.store.table(ENTRIES).schema.names == ["id", "kind", "name", "family", "status", "facets", "text", "body"]


def test_what_a_policy_is_bad_for_does_not_find_it(repository):
    text = "x: a policy.\n\nGood for: weasels.\nBad for: stoats."
    repository.put([PolicyRecord(name="x", source="int x;", card=text)])
    assert repository.search("weasels", limit=1)[0].record.name == "x"
    assert all(hit.keyword == 0 for hit in repository.search("stoats") if hit.record.name == "x")


def test_filters_by_class_machine_and_outcome_of_the_same_result(repository, result):
    repository.record(
        result("fifo", workload="schbench", metrics={"p99_request_us": 9.0}),
        result("fifo", outcome="ejected", machine="virtual-4cpu-1024mib", reward=-3.0),
    )

    def found(**filters):
        return {hit.record.name for hit in repository.search("first come, first served", limit=20, **filters)}

    here, there = "virtual-2cpu-1024mib", "virtual-4cpu-1024mib"
    assert found(outcome="ok") == {"fifo"}
    assert found(outcome="ejected", machine=there, workload_class="batch") == {"fifo"}
    assert found(outcome="ok", machine=there) == set()
    assert found(outcome="ejected", machine=here) == set()
    assert found(machine=here, workload_class="latency") == {"fifo"}
    assert {"ljf", "batch"} <= found(workload_class="batch")
    assert "nest" not in found(workload_class="throughput")


def test_small_words_alone_find_nothing(library):
    assert library.search(" the of ") == []


def test_kinds(library):
    primitives = library.search("predict the next CPU burst", kinds=[Kind.PRIMITIVE])
    assert primitives[0].record.name == "burst-prediction"
    lessons = library.search("wake-ups wait for whole turns", kinds=[Kind.ANTIPATTERN])
    assert all(isinstance(hit.record, Antipattern) for hit in lessons)
    assert lessons[0].record.policy in ("batch", "critical", "vtime")


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        ({"text": " - ? "}, "no words"),
        ({"text": ""}, "no words"),
        ({"text": "x" * 3000}, "3000 characters"),
        ({"text": "x", "workload_class": "batsh"}, "did you mean batch"),
        ({"text": "x", "outcome": "fine"}, "unknown outcome"),
        ({"text": "x", "limit": 0}, "limit must be"),
        ({"text": "x", "limit": 1000}, "limit must be"),
    ],
)
def test_wrong_questions_are_told_in_two_lines(library, arguments, words):
    with pytest.raises(BadInput, match=words) as error:
        library.search(arguments.pop("text"), **arguments)
    assert len(str(error.value).splitlines()) <= 2


@pytest.mark.parametrize(
    "text", ["'; DROP TABLE entries; --", 'a "quoted" (phrase) AND NOT +b:c*', "naïve 調度器 queue", "\x00 queue"]
)
def test_odd_questions_do_no_harm(library, text):
    assert isinstance(library.search(text, machine="it's"), list)
    assert isinstance(library.search(text), list)
