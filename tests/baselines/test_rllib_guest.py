"""PPO and SAC as agents of a run, on the real kernel."""

import hydra
import pytest
from omegaconf import OmegaConf

from schedcp_gym.baselines.rllib.packages import NEEDED
from schedcp_gym.paths import CONFIGS
from schedcp_gym.run.record import Record
from schedcp_gym.run.search import Run
from schedcp_gym.run.settings import read_settings

pytestmark = pytest.mark.guest

EVALUATIONS = 7
#: Learns after two and after four evaluations, the latter in the second episode.
SETTINGS = {
    "ppo": {"lanes": 2, "batch": 2, "minibatch": 2, "epochs": 2},
    "sac": {"lanes": 2, "warm_up": 2, "batch": 4, "updates": 1.0},
}


@pytest.fixture(autouse=True)
def rl():
    for package in NEEDED:
        pytest.importorskip(package, reason="needs the extra rl: make test-rl, or pip install -e '.[rl]'")


def search(name, folder, **more):
    folder.mkdir(exist_ok=True)
    config = {
        "workload": {"name": "schbench"},
        "machine": {},
        "heldout": {},
        "budget": {"evaluations": EVALUATIONS},
        "llm": {"model": "offline/rules"},
        "seed": 3,
        "episode_steps": 4,
    }
    settings = OmegaConf.merge(OmegaConf.load(CONFIGS / "agent" / f"{name}.yaml"), SETTINGS[name], more)
    run = Run(read_settings(config), hydra.utils.instantiate(settings), name, folder)
    run.search()
    assert run.ended_by == f"the budget: evaluations={EVALUATIONS}"
    return [{**entry, "host": None} for entry in Record(folder).old]


@pytest.mark.parametrize("name", ["ppo", "sac"])
def test_a_search_keeps_its_budget_and_goes_on_after_a_kill(name, tmp_path):
    entries = search(name, tmp_path)
    evaluations = [entry for entry in entries if entry["kind"] == "evaluation"]
    assert len(evaluations) == EVALUATIONS
    assert [entry["episode"] for entry in evaluations] == [0, 0, 0, 0, 1, 1, 1]
    # As a kill leaves it: the record ends in the middle, after it has learnt once.
    path = tmp_path / "record.jsonl"
    lines = path.read_text().splitlines(keepends=True)
    path.write_text("".join(lines[: len(lines) * 2 // 3]))
    assert search(name, tmp_path) == entries


def test_what_is_tried_follows_from_what_was_learnt(tmp_path):
    """The second round is another one with a learning rate that changes next to nothing."""
    first, other = (
        [entry["tunables"] for entry in search("ppo", tmp_path / str(rate), lr=rate) if entry["kind"] == "evaluation"]
        for rate in (0.1, 1e-9)
    )
    assert first[:2] == other[:2]
    assert first[2:] != other[2:]
