"""A suite's trials and their order; measurements that are known stand for the machine's."""

import json

import pytest
from bench_examples import BATCH, EEVDF, FAST, measured, workload

from schedcp_gym.bench import Bench, Suite, durations
from schedcp_gym.lab.execute import Local
from schedcp_gym.paths import cache_root
from schedcp_gym.spec import BadInput, Clock, MachineSpec, Outcome, Policy, Scale, Trial

REAL = MachineSpec(clock=Clock.REAL)


class Known:
    """Measures nothing: gives what a function says of a trial, in the order asked for."""

    executor = Local(1)

    def __init__(self, answer, workers=1):
        self.answer, self.workers, self.asked = answer, workers, []

    def measure(self, trials, done=None):
        for place, trial in enumerate(trials):
            self.asked.append(trial)
            done(place, self.answer(trial))


@pytest.fixture(autouse=True)
def own_cache(tmp_path, monkeypatch):
    monkeypatch.setenv("SCHEDCP_CACHE", str(tmp_path))


def seconds(trial):
    return measured({"eevdf": 4.0, "fast": 2.0}.get(trial.policy.name, 8.0) + trial.seed, trial=trial.digest)


def test_eevdf_is_measured_once_in_any_case_but_shown_only_when_asked_for():
    for policies in ((FAST,), (FAST, EEVDF)):
        suite = Suite(policies, (BATCH,), seeds=(0, 1))
        assert [(trial.policy.name, trial.seed) for trial in suite.trials()] == [
            ("eevdf", 0),
            ("eevdf", 1),
            ("fast", 0),
            ("fast", 1),
        ]
        results = Bench(suite, Known(seconds)).run()
        assert {result.policy.name for result in results} == {policy.name for policy in policies}
        fast = [result for result in results if result.policy.name == "fast"]
        assert [result.ratio for result in fast] == pytest.approx([4 / 2, 5 / 3])


def test_what_is_not_known_comes_first_then_the_longest():
    long, slow = workload("long", max_job_s={"smoke": 600}), workload("slow")
    trials = [Trial(EEVDF, one) for one in (BATCH, slow, long)]
    found = durations.longest_first(trials, {"batch/smoke/virtual": 2.0, "slow/smoke/virtual": 3.0})
    assert [trial.workload.name for trial in found] == ["long", "slow", "batch"]
    assert [trial.workload.name for trial in durations.longest_first(trials, {})] == ["long", "batch", "slow"]
    assert [trial.workload.name for trial in durations.longest_first(trials, {"long/smoke/real": 9.0})] == [
        "long",
        "batch",
        "slow",
    ]


def test_how_long_trials_took_is_kept_for_the_next_time_but_not_of_what_was_known_or_failed():
    def answer(trial):
        name = trial.workload.name
        outcome = Outcome.TIMEOUT if name == "bad" else Outcome.OK
        return measured(outcome=outcome, host_s={"batch": 2.0, "slow": 7.0}.get(name, 99.0), cached=name == "old")

    workloads = tuple(workload(name) for name in ("batch", "bad", "old", "slow"))
    Bench(Suite((EEVDF,), workloads), Known(answer)).run()
    assert durations.read() == {"batch/smoke/virtual": 2.0, "slow/smoke/virtual": 7.0}
    second = Known(answer)
    Bench(Suite((EEVDF,), workloads), second).run()
    assert [trial.workload.name for trial in second.asked][-2:] == ["slow", "batch"]


@pytest.mark.parametrize("content", ["{", "[1]", '{"a": "x"}', '{"a": null}'])
def test_a_damaged_file_of_durations_costs_only_the_order(content, caplog):
    (cache_root() / durations.FILE).write_text(content)
    assert durations.read() == {}
    assert "trials run in an arbitrary order" in caplog.text
    durations.add({"a/smoke/virtual": 1.0})
    assert json.loads((cache_root() / durations.FILE).read_text()) == {"a/smoke/virtual": 1.0}


def test_on_the_real_clock_each_round_has_all_trials_in_an_order_that_is_the_same_every_time():
    policies = (EEVDF, *(Policy(name, "int x;" + name) for name in "abcdef"))

    def orders():
        known = Known(seconds)
        Bench(Suite(policies, (BATCH,), REAL, repeats=3), known).run()
        names = [trial.policy.name for trial in known.asked]
        return [names[at : at + 7] for at in (0, 7, 14)]

    found = orders()
    assert all(sorted(order) == ["a", "b", "c", "d", "e", "eevdf", "f"] for order in found)
    assert len({tuple(order) for order in found}) == 3
    assert orders() == found


def test_repeats_come_to_medians_and_each_round_is_held_against_its_own_eevdf():
    given = {"eevdf": [4.0, 8.0, 6.0], "fast": [2.0, 2.0, 3.0]}
    left = {name: list(values) for name, values in given.items()}
    bench = Bench(
        Suite((FAST,), (BATCH,), REAL, repeats=3), Known(lambda trial: measured(left[trial.policy.name].pop(0)))
    )
    (found,) = bench.run()
    assert (found.value, found.ratio, found.repeats) == (2.0, pytest.approx(3.0), 3)
    assert [result.ratio for (result,) in bench.rounds()] == pytest.approx([2.0, 4.0, 2.0])


def test_what_came_before_an_interruption_is_there_and_only_whole_rounds_count_as_such():
    count = 0

    def answer(trial):
        nonlocal count
        count += 1
        if count == 4:
            raise KeyboardInterrupt
        return seconds(trial)

    bench = Bench(Suite((FAST, EEVDF), (BATCH,), REAL, repeats=2), Known(answer))
    with pytest.raises(KeyboardInterrupt):
        bench.run()
    assert sum(result.repeats for result in bench.results()) == 3
    assert len(bench.rounds()) == 1
    assert bench.total == 4


def test_each_result_is_told_as_it_comes():
    told = []
    Bench(Suite((FAST,), (BATCH,)), Known(seconds)).run(lambda result: told.append((result.policy.name, result.value)))
    assert told == [("eevdf", 4.0), ("fast", 2.0)]


def test_an_objective_by_name_is_that_of_each_workload():
    (found,) = Bench(Suite((FAST,), (BATCH,), objective="throughput"), Known(seconds)).run()
    assert (found.metric, found.value) == ("jobs_per_s", 5.0)
    with pytest.raises(BadInput, match="unknown objective of plain 'throughput'"):
        Suite((FAST,), (BATCH, workload("plain", objectives={})), objective="throughput")


def test_what_can_not_be_told_apart_or_repeated_is_refused():
    with pytest.raises(BadInput, match="two policies have the name 'fast'"):
        Suite((FAST, Policy("fast", "int y;")), (BATCH,))
    with pytest.raises(BadInput, match="every repeat gives the same"):
        Suite((FAST,), (BATCH,), repeats=2)
    with pytest.raises(BadInput, match="--workers 1"):
        Bench(Suite((FAST,), (BATCH,), REAL), Known(seconds, workers=2))


def test_the_scale_is_that_of_the_suite():
    assert {trial.scale for trial in Suite((FAST,), (BATCH,), scale=Scale.FULL).trials()} == {Scale.FULL}
