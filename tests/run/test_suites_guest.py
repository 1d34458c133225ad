"""A suite is swept as Hydra's users expect, and goes on where it was."""

import json
import subprocess
import sys

import pytest

import schedcp_gym

WORDS = ["-m", "+agent=glob([ee*,random_s*])", "suite=smoke", "workload=schbench", "budget.evaluations=2"]


@pytest.mark.guest
def test_suite_sweeps_and_goes_on(tmp_path):
    def sweep():
        command = [sys.executable, "-m", "schedcp_gym.run", *WORDS]
        return subprocess.run(command, cwd=tmp_path, check=True, capture_output=True, text=True)

    sweep()
    folder = tmp_path / "runs/suite_smoke"
    # The workload is the command line's, the seeds are the suite's.
    names = {f"{agent}_schbench_s{seed}" for agent in ("eevdf", "random_search") for seed in (1, 2)}
    assert {path.name for path in folder.iterdir() if path.is_dir()} == names
    records = {name: (folder / name / "record.jsonl").read_bytes() for name in names}
    sweep()
    assert {name: (folder / name / "record.jsonl").read_bytes() for name in names} == records
    table = schedcp_gym.load_results(folder)
    assert len(table) == 8
    finals = table.groupby(["agent", "seed"])["final_reward"].first()
    assert finals["eevdf"].tolist() == [0.0, 0.0]
    assert finals.notna().all()
    # The chosen policy was measured on the suite's held-out variant, too: in no search, and in a column of its own.
    best = json.loads((folder / "random_search_schbench_s1/best.json").read_text())
    assert len(best["heldout"]["variants"]["schbench-3x3"]["rewards"]) == 3
    assert set(table["workload"]) == {"schbench"}
    assert table.groupby("agent")["variant_reward"].first()["eevdf"] == 0.0
    lines = [json.loads(line) for line in records["random_search_schbench_s1"].splitlines()]
    assert {line["kind"] for line in lines if line["workload"] == "schbench-3x3"} == {"heldout"}
    # EEVDF in one run is EEVDF in another to the last digit, on each held-out seed.
    told = subprocess.run(
        [sys.executable, "-m", "schedcp_gym.cli", "compare", str(folder), "--json"], check=True, capture_output=True
    )
    compared = json.loads(told.stdout)
    assert compared["aa_control"] == {"pairs": 6, "iqm": 0.0, "iqm_low": 0.0, "iqm_high": 0.0, "largest": 0.0}
    scores = {run["agent"]: run["score"] for run in compared["runs"] if run["seed"] == 1}
    assert scores == finals.xs(1, level="seed").to_dict()
