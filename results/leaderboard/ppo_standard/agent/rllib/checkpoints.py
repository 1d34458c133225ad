"""The folder of a training: what it is of, its episodes, and its last checkpoint."""

import contextlib
import csv
import shutil
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import filelock
import yaml

from schedcp_gym.baselines.rllib.curve import Episode
from schedcp_gym.spec import BadInput

if TYPE_CHECKING:
    from schedcp_gym.baselines.rllib.learner import Learning

COLUMNS = ("episode", "steps", "steps_total", "reward")
EPISODES, CONFIG, CHECKPOINTS = "episodes.csv", "config.yaml", "checkpoints"
#: What may be another when a training goes on.
MAY_CHANGE = ("steps",)


@contextlib.contextmanager
def claimed(folder: Path, config: dict[str, Any], *, resume: bool) -> Iterator[None]:
    """Claims a training's folder.

    Args:
        folder: It is made if it is not there.
        config: What the training is.
        resume: Whether a training that is there goes on.

    Raises:
        BadInput: The folder holds a training and ``resume`` is False, or another one, or one is under way in it.
    """
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise BadInput(f"{folder} can't be the training's folder: {error.strerror}") from None
    path = folder / CONFIG
    try:
        with filelock.FileLock(folder / ".lock", timeout=0):
            if path.exists():
                _check_same(path, config, resume=resume)
            _write_whole(path, yaml.safe_dump(config, sort_keys=False))
            yield
    except filelock.Timeout:
        raise BadInput(f"a training is under way in {folder}; wait for it, or give another --out") from None


def _check_same(path: Path, config: dict[str, Any], *, resume: bool) -> None:
    if not resume:
        raise BadInput(f"{path.parent} holds a training: go on with it by --resume, or give another --out")
    before = yaml.safe_load(path.read_text())
    for key in config:
        if key not in MAY_CHANGE and before.get(key) != config[key]:
            raise BadInput(
                f"{path.parent} holds a training with {key}={before.get(key)}, not {config[key]}; "
                "give the same settings to go on with it, or another --out"
            )


def save(folder: Path, learning: "Learning[Any]", episodes: Sequence[Episode]) -> None:
    """Writes a checkpoint and the episodes until it; one that is half written is never taken for one."""
    root = folder / CHECKPOINTS
    root.mkdir(exist_ok=True)
    part, whole = root / "part", root / f"steps-{learning.steps:012d}"
    shutil.rmtree(part, ignore_errors=True)
    shutil.rmtree(whole, ignore_errors=True)
    part.mkdir()
    learning.save(part)
    _write_episodes(part / EPISODES, episodes)
    part.rename(whole)
    _write_episodes(folder / EPISODES, episodes)
    for old in _all(folder)[:-1]:
        shutil.rmtree(old)


def load(folder: Path, learning: "Learning[Any]") -> list[Episode]:
    """Takes up the last checkpoint, if there is one; gives the episodes until it."""
    found = _all(folder)
    if not found:
        return []
    learning.load(found[-1])
    with (found[-1] / EPISODES).open() as file:
        return [Episode(float(row["reward"]), int(row["steps"])) for row in csv.DictReader(file)]


def _all(folder: Path) -> list[Path]:
    return sorted((folder / CHECKPOINTS).glob("steps-*"))


def _write_episodes(path: Path, episodes: Sequence[Episode]) -> None:
    part, total = path.with_name(f".{path.name}.part"), 0
    with part.open("w", newline="") as file:
        rows = csv.writer(file, lineterminator="\n")
        rows.writerow(COLUMNS)
        for number, episode in enumerate(episodes, 1):
            total += episode.steps
            rows.writerow((number, episode.steps, total, repr(episode.reward)))
    part.rename(path)


def _write_whole(path: Path, text: str) -> None:
    part = path.with_name(f".{path.name}.part")
    part.write_text(text)
    part.rename(path)
