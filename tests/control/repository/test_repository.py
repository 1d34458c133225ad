"""What is kept of policies: names, lineage, results and what they prove, lessons, lines."""

import json
import math

import pytest

from schedcp_gym.control.repository import (
    Antipattern,
    How,
    Parent,
    PolicyRecord,
    Status,
    configured,
    export_lines,
    import_lines,
    open_library,
    promotion_rule,
)
from schedcp_gym.control.repository.classes import class_of
from schedcp_gym.control.repository.seed import RECORDED, take_recorded
from schedcp_gym.control.repository.standing import figure
from schedcp_gym.lab import catalogue
from schedcp_gym.spec import BadInput


def patched(name="mine", parent="ljf", extra="\nstatic int more;\n"):
    source = catalogue.load_policy(parent).source + extra
    return PolicyRecord(
        name=name, source=source, card=f"{name}: {parent} and more.", parents=(Parent(parent, How.PATCHED, "a try"),)
    )


def test_library_is_there_with_cards_and_classes(library):
    records = {record.name: record for record in library.policies()}
    assert list(records) == catalogue.policy_names()[1:]
    assert all(record.status is Status.LIBRARY and record.card for record in records.values())
    assert "batch" in records["ljf"].classes
    assert "latency" in records["critical"].classes
    assert library.antipatterns("fifo")[0].failed_because.startswith("it is bad for a few sleepers")


def test_opening_again_changes_nothing(tmp_path):
    before = list(export_lines(open_library(tmp_path)))
    assert list(export_lines(open_library(tmp_path))) == before


def test_added_policy_is_a_candidate_with_its_lineage(repository):
    kept = repository.add(patched())
    assert kept == repository.get("mine") == repository.get(kept.id)
    assert kept.status is Status.CANDIDATE
    assert kept.created_at
    assert [child.name for child in repository.descendants("ljf")] == ["mine"]
    assert repository.add(patched(name="again")).name == "mine"  # the same source is the same policy
    with pytest.raises(BadInput, match="'mine-2' is free"):
        repository.add(patched(extra="\nstatic int other;\n"))


def test_nobody_adds_what_claims_to_be_proven(repository):
    record = patched()
    claimed = PolicyRecord(**{**record.__dict__, "status": Status.PROMOTED})
    assert repository.add(claimed).status is Status.CANDIDATE


def test_configured_policy_is_one_of_its_own(repository):
    record = configured(repository.get("ljf"), "ljf-ember", {"favour": "ember"})
    kept = repository.add(record)
    assert kept.values == {"favour": "ember"}
    assert kept.parents[0].how is How.CONFIGURED
    assert kept.id != repository.get("ljf").id
    assert kept.source_sha256 == repository.get("ljf").source_sha256
    with pytest.raises(BadInput, match="out of range"):
        configured(repository.get("fifo"), "x", {"slice_us": 1})


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"parents": (Parent("ljff", How.PATCHED),)}, "did you mean ljf"),
        ({"classes": ("batsh",)}, "did you mean batch"),
        ({"workloads": ("schbensh",)}, "did you mean schbench"),
        ({"values": {"favor": "x"}}, "unknown tunable"),
    ],
)
def test_wrong_records_are_refused(repository, change, words):
    with pytest.raises(BadInput, match=words) as error:
        repository.add(PolicyRecord(**{**patched().__dict__, **change}))
    assert len(str(error.value).splitlines()) <= 2


def test_unknown_policy_is_told_with_near_names(repository, result):
    with pytest.raises(BadInput, match="did you mean fifo"):
        repository.get("fifoo")
    with pytest.raises(BadInput, match="repository list"):
        repository.record(result("nothing-like-it"))
    assert repository.results() == []


def test_results_refine_mean_and_interval(repository, result):
    repository.record(result("fifo", seed=1, reward=0.1))
    one = repository.standings("fifo")[0]
    assert (one.reward.mean, one.reward.low, one.reward.seeds) == (0.1, None, 1)
    repository.record(result("fifo", seed=2, reward=0.3), result("fifo", seed=3, reward=0.2))
    three = repository.standings("fifo")[0]
    assert three.reward.seeds == three.results == 3
    assert three.reward.mean == pytest.approx(0.2)
    # Student's t with 2 degrees of freedom: 4.303 for 95 %.
    assert three.reward.high - three.reward.mean == pytest.approx(4.3027 * 0.1 / math.sqrt(3), rel=1e-4)
    assert three.metrics["makespan_s"].seeds == 3
    assert three.workload_class == "batch"


def test_same_trial_counts_once_and_deployments_each(repository, result):
    repository.record(result("fifo"))
    repository.record(result("fifo"))
    assert len(repository.results("fifo")) == 1
    for reward in (0.1, 0.2):
        repository.record(result("fifo", origin="deployment", reward=reward, trial="d1"))
    standing = repository.standings("fifo")[0]
    assert (standing.results, standing.deployments, standing.reward.seeds) == (3, 2, 1)
    assert standing.reward.mean == pytest.approx(0.2)


def test_hosts_faults_do_not_count(repository, result):
    repository.record(result("fifo", outcome="infra_fault", reward=None))
    assert repository.standings("fifo") == []
    assert len(repository.results("fifo")) == 1


def test_seeds_count_by_their_means():
    assert figure([], 0.95) is None
    both = figure([(1, 1.0), (1, 3.0), (2, 4.0)], 0.95)
    assert (both.mean, both.seeds) == (3.0, 2)


def prove(repository, result, name, seeds, **more):
    repository.record(*(result(name, seed=seed, reward=0.2 + seed / 100, **more) for seed in seeds))
    return repository.get(name).status


def test_promotion_after_enough_seeds_and_back(repository, result):
    repository.add(patched())
    least = promotion_rule().least_seeds
    assert prove(repository, result, "mine", range(least - 1)) is Status.CANDIDATE
    assert prove(repository, result, "mine", [least - 1] * 3) is Status.PROMOTED
    assert [record.name for record in repository.policies(status=Status.PROMOTED)] == ["mine"]
    # An ejection anywhere ends the trust.
    repository.record(result("mine", workload="schbench", outcome="ejected", reward=-3.0))
    assert repository.get("mine").status is Status.CANDIDATE


@pytest.mark.parametrize("rewards", [(-0.1,) * 8, (1.0, -0.9, 1.0, -0.9, 1.0, -0.9), (0.0,) * 6, (None,) * 6])
def test_no_promotion_without_proof(repository, result, rewards):
    repository.add(patched())
    repository.record(*(result("mine", seed=seed, reward=reward) for seed, reward in enumerate(rewards)))
    assert repository.get("mine").status is Status.CANDIDATE


def test_seeds_of_different_configurations_do_not_add_up(repository, result):
    repository.add(patched())
    for seed in range(8):
        repository.record(result("mine", seed=seed, reward=0.2, values={"slice_us": 1000 * (1 + seed)}))
    assert repository.get("mine").status is Status.CANDIDATE
    assert len(repository.standings("mine")) == 8


def test_library_stays_the_library(repository, result):
    assert prove(repository, result, "fifo", range(9)) is Status.LIBRARY


def test_lessons(repository):
    lesson = Antipattern(
        name="long-slices", failed_because="wake-ups waited for whole slices", instead="preempt", policy="fifo"
    )
    repository.learn(lesson)
    repository.learn(lesson)
    assert [each.name for each in repository.antipatterns("fifo")] == ["fifo-where-it-is-bad", "long-slices"]
    with pytest.raises(BadInput, match="no policy"):
        repository.learn(Antipattern(name="x", failed_because="y", policy="zzz"))


def test_export_and_import_give_the_same(tmp_path, repository, result):
    repository.add(patched())
    prove(repository, result, "mine", range(6))
    repository.record(result("fifo", machine="real-2cpu-1024mib"))
    repository.learn(Antipattern(name="x", failed_because="it waits — too long", policy="mine"))
    lines = list(export_lines(repository))
    assert all(json.loads(line)["kind"] for line in lines)
    other = open_library(tmp_path / "other")
    done = import_lines(other, lines)
    assert (done.policies, done.results, done.antipatterns, done.renamed) == (1, 7, 1, {})
    assert other.get("mine").status is Status.PROMOTED

    def without_times(lines):
        return sorted(json.dumps({**json.loads(line), "created_at": ""}) for line in lines)

    assert without_times(export_lines(other)) == without_times(lines)
    again = import_lines(other, lines)
    assert again.total == 0
    assert without_times(export_lines(other)) == without_times(lines)


def test_import_renames_what_has_a_taken_name(tmp_path, repository):
    repository.add(patched(extra="\nstatic int other;\n"))
    source = open_library(tmp_path / "source")
    source.add(patched())
    source.add(
        patched(name="child", parent="fifo").__class__(
            **{**patched("child", "fifo").__dict__, "parents": (Parent("mine", How.COMPOSED),)}
        )
    )
    done = import_lines(repository, export_lines(source))
    new = done.renamed["mine"]
    assert repository.get(new).source == source.get("mine").source
    assert repository.get("child").parents[0].name == new


@pytest.mark.parametrize(
    ("line", "words"),
    [
        ("{", "line 2: not JSON"),
        ("[]", "line 2: kind"),
        ('{"kind": "wish"}', "line 2: kind"),
        ('{"kind": "policy", "name": "a/b", "source": "x"}', "line 2: name"),
        ('{"kind": "result", "policy": "fifo", "workload": "w", "outcome": "great"}', "line 2: outcome"),
        ('{"kind": "result", "policy": "none", "workload": "w", "outcome": "ejected"}', "line 2: no policy"),
        ('{"kind": "result", "policy": "fifo", "workload": "w", "outcome": "ok"}', "an ok result has metrics"),
        ('{"kind": "result", "policy": "fifo", "workload": "w", "outcome": "ok", "metrics": {"a": NaN}}', "line 2"),
        ('{"kind": "primitive", "name": "x", "title": "", "card": ""}', "come with the library"),
    ],
)
def test_one_wrong_line_and_nothing_is_taken(repository, line, words):
    before = list(export_lines(repository))
    good = json.dumps({"kind": "policy", "name": "good", "source": "int x;"})
    with pytest.raises(BadInput, match=words) as error:
        import_lines(repository, [good, line])
    assert len(str(error.value).splitlines()) <= 2
    assert list(export_lines(repository)) == before


def test_recorded_results_are_taken_in_once_and_only_those_of_present_policies(repository, tmp_path):
    path = tmp_path / "some.jsonl"
    line = {
        "kind": "result",
        "policy": "fifo",
        "workload": "schbench",
        "outcome": "ok",
        "metrics": {"p99_request_us": 1},
    }
    of_a_source_that_has_changed = {**line, "policy": "0123456789abcdef"}
    path.write_text(f"{json.dumps(line)}\n{json.dumps(of_a_source_that_has_changed)}\n")
    assert take_recorded(repository, path) == 1
    assert take_recorded(repository, path) == 0
    assert repository.standings("fifo")[0].workload_class == "latency"


def test_every_result_that_ships_is_of_a_policy_that_is_here(repository):
    for path in sorted(RECORDED.glob("*.jsonl")):
        lines = [line for line in path.read_text().splitlines() if line.strip()]
        assert take_recorded(repository, path) == len(lines) > 0, f"measure again: {path.name}"


def test_every_class_of_workloads_begins_with_results(library):
    results = library.results()
    assert {each.policy for each in results} == {each.id for each in library.policies(status=Status.LIBRARY)}
    assert {"batch", "latency"} <= {each.workload_class for each in results}


def test_replaced_library_policy_keeps_its_results(tmp_path, monkeypatch, result):
    from schedcp_gym.control.repository import seed

    now = seed.library_policies
    before = [PolicyRecord(**{**each.__dict__, "source": each.source + "\n"}) for each in now()]
    monkeypatch.setattr(seed, "library_policies", lambda: before)
    old = open_library(tmp_path)
    old.record(result("fifo"))
    old.store.set_meta(library="another state")
    monkeypatch.setattr(seed, "library_policies", now)
    new = open_library(tmp_path)
    was = next(each for each in new.policies(status=Status.SUPERSEDED) if each.name.startswith("fifo@"))
    assert len(new.results(was.id)) == 1
    assert new.results("fifo") == []
    assert all("@" not in hit.record.name for hit in new.search("first come first served", limit=20))


def test_classes_follow_from_objectives():
    kinds = {name: class_of(catalogue.load_workload(name)) for name in ("longtail", "schbench", "phases", "sysbench")}
    assert kinds == {"longtail": "batch", "schbench": "latency", "phases": "mixed", "sysbench": "mixed"}
