"""The runner: configuration, errors, record, held-out statistics."""

import json
import math

import pandas as pd
import pytest
import yaml
from hydra import compose
from hydra.core.global_hydra import GlobalHydra

from schedcp_gym.lab import catalogue
from schedcp_gym.lab.catalogue import load_policy, workload_names
from schedcp_gym.paths import CONFIGS
from schedcp_gym.run.app import main
from schedcp_gym.run.configs import open_configs
from schedcp_gym.run.heldout import interval, rebind
from schedcp_gym.run.lock import locked
from schedcp_gym.run.record import Record, RecordedLab
from schedcp_gym.run.settings import read_settings
from schedcp_gym.run.summary import best_of, write_summary
from schedcp_gym.spec import BadInput, MachineSpec, Policy, SchedcpError, Trial
from tests.record_lines import line

FIFO = Policy("fifo", "int x;", (("slice_us", 300),))


def entry(kind="evaluation", trial="t1", tunables=None, **more):
    """A line of a policy with a tunable."""
    return line(kind, trial, tunables=tunables or {"slice_us": 300}, **more)


def test_hydra_offers_every_workload_and_no_file_repeats_only_a_name():
    with open_configs():
        loader = GlobalHydra.instance().config_loader()
        assert sorted(loader.get_group_options("workload")) == workload_names()
        for name in workload_names():
            assert compose("config", [f"workload={name}"]).workload == {"name": name}
    for path in CONFIGS.rglob("*.yaml"):
        assert yaml.safe_load(path.read_text()) != {"name": path.stem}


def test_machines_are_whole():
    """Each says how many CPUs it has, or of what shape it is, and what that costs."""
    for path in (CONFIGS / "machine").glob("*.yaml"):
        declared = set(yaml.safe_load(path.read_text()))
        shape = {"name", "topology", "cache_model"}
        assert declared == set(MachineSpec.__dataclass_fields__) - ({"cpus"} if "topology" in declared else shape)


@pytest.mark.parametrize(
    ("words", "text"),
    [
        ([], "random_search  Draws policies"),
        (["+agent="], "random_search  Draws policies"),
        (["+agent=rndom_search"], "unknown agent 'rndom_search'; did you mean random_search"),
        (["agent=random_search", "workload=schbnch"], "unknown workload 'schbnch'; did you mean schbench"),
        (
            ["+agent=random_search", "machine=imaginary"],
            "unknown machine 'imaginary'; there are: large, llc, numa, real, smt, virtual",
        ),
        (["+agent=random_search", "budget.evaluation=3"], "did you mean budget.evaluations"),
        (["+agent=random_search", "agent.empty_txt=1"], "did you mean agent.empty_text"),
        (["+agent=random_search", "budget.evaluations=many"], "budget.evaluations: "),
        (["+agent=random_search", "budget.evaluations=null"], "would never end"),
        (["+agent=random_search", "machine.cpus=99"], "machine.cpus: "),
        (["+agent=random_search", "seed=-1"], "seed: "),
        (["+agent=random_search", "scale=huge"], "scale: "),
        (["+agent=random_search", "+agent.luck=1"], "luck"),
        (["+agent=random_search", "heldout.seeds=1"], "heldout.seeds: "),
        (["+agent=random_search", "objective={weights: {p99: 1}}"], "objective: p99 is not among the metrics"),
        (["+agent=random_search", "seed=[1"], ""),
    ],
)
def test_wrong_command_lines_end_with_one_message(words, text, tmp_path, capsys):
    assert main([*words, f"run.dir={tmp_path / 'run'}"]) == 2
    shown = capsys.readouterr()
    assert text in shown.err
    assert "Traceback" not in shown.err + shown.out
    assert len(shown.err.splitlines()) <= max(2, 1 + len(list((CONFIGS / "agent").glob("*.yaml"))))
    assert not list(tmp_path.rglob("record.jsonl"))


@pytest.mark.parametrize("folder", ["/dev/null", "/proc/no/run"])
def test_a_run_folder_that_can_be_none(folder, capsys):
    assert main(["+agent=eevdf", f"run.dir={folder}"]) == 1
    told = capsys.readouterr().err
    assert "cannot be used as the run's folder" in told
    assert told.endswith("use another run.dir\n")


def test_settings_have_defaults_for_nothing_that_the_config_leaves_out():
    with pytest.raises(BadInput, match="budget: Field required"):
        read_settings({"workload": {"name": "schbench"}, "machine": {}, "heldout": {}})


def test_record_goes_on_where_it_was(tmp_path):
    record = Record(tmp_path)
    record.add(entry("baseline"))
    record.add(entry(reward=0.1), FIFO)
    record.add(entry("heldout", "h1"))
    before = record.path.read_text()
    assert (tmp_path / "sources").iterdir()

    again = Record(tmp_path)
    again.add(entry("baseline", host={"timings_s": {"total": 99.0}}))
    again.add(entry(reward=0.1), FIFO)
    assert again.path.read_text() == before
    again.add(entry(trial="t2", reward=0.2), FIFO)
    again.add(entry("heldout", "h1"))
    again.add(entry("heldout", "h2"))
    after = again.path.read_text()
    assert after.startswith(before)
    assert [json.loads(line)["measurement"]["trial"] for line in after.splitlines()] == ["t1", "t1", "h1", "t2", "h2"]
    assert [one["reward"] for one in again.evaluations] == [0.1, 0.2]


def test_record_loses_a_cut_off_line_only(tmp_path):
    record = Record(tmp_path)
    record.add(entry())
    whole = record.path.read_bytes()
    record.path.write_bytes(whole + b'{"kind": "evaluation", "wor')
    assert len(Record(tmp_path).old) == 1
    assert record.path.read_bytes() == whole


def test_record_refuses_another_run_a_damaged_line_and_a_changed_image(tmp_path):
    record = Record(tmp_path)
    record.add(entry())
    with pytest.raises(SchedcpError, match=r"another run\.dir"):
        Record(tmp_path).add(entry(tunables={"slice_us": 301}))
    changed = entry(trial="t2")
    changed["measurement"]["digests"]["image"] = "i2"
    with pytest.raises(SchedcpError, match="image has changed"):
        record.add(changed)
    record.path.write_text("nonsense\n" + record.path.read_text())
    with pytest.raises(SchedcpError, match="line 1 is damaged"):
        Record(tmp_path)


class NoLab:
    """Fails when anything is to be measured that should be known."""

    workers = 1

    def measure(self, trials, done=None):
        """Measures nothing."""
        raise AssertionError(trials)


def test_what_is_recorded_is_not_measured_again():
    trial = Trial(FIFO, catalogue.load_workload("longtail"))
    told = []
    lab = RecordedLab(NoLab(), [entry(trial=trial.digest)])
    measured = lab.measure([trial, trial], lambda index, one: told.append((index, one.trial)))
    assert [one.metrics for one in measured] == [{"makespan_s": 2.0}] * 2
    assert measured[0].cached
    assert measured[0].timings_s == {"total": 4.2}
    assert told == [(0, trial.digest), (1, trial.digest)]
    with pytest.raises(AssertionError):
        lab.measure([Trial(FIFO, trial.workload, seed=9)])


def test_on_the_real_clock_each_recorded_measurement_is_given_once():
    trial = Trial(FIFO, catalogue.load_workload("longtail"), MachineSpec(clock="real"))
    lab = RecordedLab(NoLab(), [entry(trial=trial.digest)])
    lab.measure([trial])
    with pytest.raises(AssertionError):
        lab.measure([trial])


def test_a_folder_goes_on_with_the_same_run_only(tmp_path):
    once, twice = locked(tmp_path, {"seed": 1, "budget": {"evaluations": 2}}), locked(tmp_path, {"seed": 1})
    with once, pytest.raises(BadInput, match="another process"):
        twice.__enter__()
    with locked(tmp_path, {"seed": 1, "budget": {"evaluations": 20}}):
        assert yaml.safe_load((tmp_path / "config.yaml").read_text())["budget"] == {"evaluations": 20}
    with pytest.raises(BadInput, match="seed=1, not 2"), locked(tmp_path, {"seed": 2}):
        pass


def test_summary_holds_every_evaluation_with_units_in_its_names(tmp_path):
    record = Record(tmp_path)
    record.add(entry("baseline"))
    record.add(entry(reward=0.1, tunables={"slice_us": 300, "odd": 1}))
    record.add(entry(reward=0.4, tunables={"favour": "make", "odd": "text"}))
    failed = entry(reward=-3.0, outcome="ejected")
    failed["measurement"]["metrics"] = {}
    record.add(failed)
    write_summary(record)
    for table in (pd.read_csv(tmp_path / "summary.csv"), pd.read_parquet(tmp_path / "summary.parquet")):
        assert list(table["result.reward"]) == [0.1, 0.4, -3.0]
        assert list(table["outcome"]) == ["ok", "ok", "ejected"]
        assert {"config.policy", "config.slice_us", "config.favour", "result.makespan_s"} <= set(table.columns)
        assert table["result.makespan_s"].isna().tolist() == [False, False, True]
    best = best_of(record.entries)
    assert best is not None
    assert best["reward"] == 0.4
    chosen = best_of([*record.entries, {"kind": "note", "chosen": {"evaluation": 1}}])
    assert (chosen["reward"], chosen["verified"]) == (0.1, True)
    assert best_of([*record.entries, {"kind": "note", "chosen": {"evaluation": 3}}])["reward"] == 0.4
    chosen = best_of([*record.entries, {"kind": "note", "chosen": None}])
    assert (chosen["reward"], chosen["verified"]) == (0.4, False)
    assert best_of([failed]) is None


def test_interval_is_students():
    found = interval([0.1, 0.2, 0.3], 0.95)
    assert found.mean == pytest.approx(0.2)
    assert found.high - found.mean == pytest.approx(4.302653 * 0.1 / math.sqrt(3), rel=1e-6)
    assert interval([0.5] * 3, 0.95).low == 0.5


def test_names_are_bound_by_rank():
    policy = load_policy("ljf", {"favour": "long-1", "slice_us": 300})
    seen = ["long-1", "short-1"]
    assert dict(rebind(policy, seen, ["big-9", "tiny-9"]).tunables) == {"favour": "big-9", "slice_us": 300}
    assert rebind(policy, seen, ["tiny-9", "long-1"]) == policy
    assert rebind(policy, [], ["big-9"]) == policy
    assert rebind(load_policy("ljf"), seen, ["big-9"]) == load_policy("ljf")
