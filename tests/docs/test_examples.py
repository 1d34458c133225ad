"""The documentation's examples: each is put where its page says, and does there what the page says."""

import importlib.util
import runpy
import shutil
import sys

import pytest

from schedcp_gym.control.verifier import verifier
from schedcp_gym.control.verifier.report import Stage
from schedcp_gym.lab import catalogue
from schedcp_gym.machine.image.inputs import ImageInputs
from schedcp_gym.paths import PACKAGE, WORKLOADS
from schedcp_gym.run.app import main
from schedcp_gym.run.record import Record
from schedcp_gym.spec import Trial

EXAMPLES = PACKAGE.parent / "docs" / "examples"
LINES = 60


def test_each_example_has_fewer_than_60_lines():
    wholes = [[path] for path in EXAMPLES.glob("*.bpf.c")] + [
        list(folder.glob("*.[py]*")) for folder in EXAMPLES.iterdir() if folder.is_dir()
    ]
    assert len(wholes) >= 3
    for files in wholes:
        assert sum(len(path.read_text().splitlines()) for path in files) < LINES, files


@pytest.fixture
def with_ping_pong(tmp_path, monkeypatch):
    """The workloads' folder with the example's in it."""
    for folder in WORKLOADS.iterdir():
        if folder.is_dir():
            (tmp_path / folder.name).symlink_to(folder.resolve())
    shutil.copytree(EXAMPLES / "ping-pong", tmp_path / "ping-pong")
    monkeypatch.setattr(catalogue, "WORKLOADS", tmp_path)
    monkeypatch.setattr("schedcp_gym.lab.trial_job.WORKLOADS", tmp_path)


@pytest.fixture
def with_hill_climb(tmp_path, monkeypatch):
    """The agent's file as a module of the baselines, and its config in a folder of configs."""
    name = "schedcp_gym.baselines.hill_climb"
    spec = importlib.util.spec_from_file_location(name, EXAMPLES / "agent" / "hill_climb.py")
    module = importlib.util.module_from_spec(spec)
    monkeypatch.setitem(sys.modules, name, module)
    spec.loader.exec_module(module)
    (tmp_path / "configs" / "agent").mkdir(parents=True)
    shutil.copy(EXAMPLES / "agent" / "hill_climb.yaml", tmp_path / "configs" / "agent")
    return tmp_path / "configs"


def test_the_workload_is_a_workload_and_needs_no_other_image(with_ping_pong):
    workload = catalogue.load_workload("ping-pong")
    assert workload.objective.weights == {"p99_round_trip_us": 1.0}
    mine = ImageInputs.collect("debian", [(workload, EXAMPLES / "ping-pong")])
    assert not mine.workloads
    assert mine.packages == ImageInputs.collect("debian", []).packages


@pytest.mark.guest
def test_the_workload_runs_and_is_exact(with_ping_pong, image, lab):
    trials = [Trial(catalogue.load_policy(name), catalogue.load_workload("ping-pong")) for name in ("eevdf", "eevdf")]
    first, second = lab.measure(trials)
    assert first.ok, first.message
    assert first.exact() == second.exact()


@pytest.mark.guest
def test_the_policy_passes_source_and_kernel_and_serves_who_wakes_up_sooner(with_ping_pong, image, lab):
    policy = catalogue.load_policy(str(EXAMPLES / "woken_first.bpf.c"))
    report = verifier.Verifier(lab).verify(policy, stages=[Stage.SOURCE, Stage.KERNEL])
    assert [(each.stage, each.passed) for each in report.stages] == [(Stage.SOURCE, True), (Stage.KERNEL, True)]
    workload = catalogue.load_workload("ping-pong")
    # With one seed, the order at the start decides.
    trials = [
        Trial(each, workload, seed=seed) for each in (catalogue.load_policy("eevdf"), policy) for seed in range(3)
    ]
    measured = lab.measure(trials)
    assert all(each.ok for each in measured), measured[-1].message
    eevdf, mine = (sum(each.metrics["p99_round_trip_us"] for each in part) for part in (measured[:3], measured[3:]))
    assert mine < eevdf


@pytest.mark.guest
def test_the_agent_runs_and_climbs(with_hill_climb, image, tmp_path):
    folder = tmp_path / "run"
    words = ["+agent=hill_climb", "workload=longtail", "budget.evaluations=5", "heldout.seeds=3", "seed=2"]
    assert main(["--config-dir", str(with_hill_climb), *words, f"run.dir={folder}"]) == 0
    evaluations = Record(folder).old
    evaluations = [entry for entry in evaluations if entry["kind"] == "evaluation"]
    assert len(evaluations) == 5
    assert len({entry["policy"] for entry in evaluations[:3]}) == 3
    first = max(evaluations[:3], key=lambda entry: entry["reward"])
    assert evaluations[3]["policy"] == first["policy"]
    assert evaluations[3]["tunables"] != first["tunables"]


@pytest.mark.guest
def test_the_episode_by_hand_runs_as_it_stands(image, capsys):
    runpy.run_path(str(EXAMPLES / "quick.py"))
    lines = capsys.readouterr().out.splitlines()
    assert [line.split()[0] for line in lines] == ["fifo", "ljf", "ljf"]
    assert all(" ok " in line for line in lines)
    rewards = [float(line.split()[-1]) for line in lines]
    assert rewards[2] == max(rewards)
    assert rewards[2] > 0.2  # naming the long job is what helps
