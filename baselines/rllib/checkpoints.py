"""The folder of a training: its settings, its episodes, and its last checkpoint."""

import contextlib
import csv
import io
import shutil
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import filelock
import yaml

from schedcp_gym.baselines.rllib.curve import Episode
from schedcp_gym.files import write_whole
from schedcp_gym.spec import BadInput

if TYPE_CHECKING:
    from schedcp_gym.baselines.rllib.learner import Learning

COLUMNS = ("episode", "steps", "steps_total", "reward")
EPISODES, CONFIG, CHECKPOINTS = "episodes.csv", "config.yaml", "checkpoints"
#: Settings that may differ when a training is resumed.
MAY_CHANGE = ("steps",)


@contextlib.contextmanager
def claimed(folder: Path, config: dict[str, Any], *, resume: bool) -> Iterator[None]:
    """Lock a training's folder until the block ends, and write its settings.

    Args:
        folder: Created if it does not exist.
        config: The training's settings.
        resume: Whether the training in the folder may be resumed.

    Raises:
        BadInput: The folder holds a training and ``resume`` is False, or it holds one with other settings, or another
            process is training in it.
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
            write_whole(path, yaml.safe_dump(config, sort_keys=False))
            yield
    except filelock.Timeout:
        raise BadInput(f"another process is training in {folder}; wait for it, or give another --out") from None


def _check_same(path: Path, config: dict[str, Any], *, resume: bool) -> None:
    if not resume:
        raise BadInput(f"{path.parent} holds a training: resume it with --resume, or give another --out")
    before = yaml.safe_load(path.read_text())
    for key in config:
        if key not in MAY_CHANGE and before.get(key) != config[key]:
            raise BadInput(
                f"{path.parent} holds a training with {key}={before.get(key)}, not {config[key]}; "
                "give the same settings to resume it, or another --out"
            )


def save(folder: Path, learning: "Learning[Any]", episodes: Sequence[Episode]) -> None:
    """Write a checkpoint and all episodes until then, and delete older checkpoints.

    A checkpoint gets its name when it is complete, so a killed process leaves no broken one.
    """
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
    """Restore the last checkpoint into ``learning``, if there is one; return the episodes until then."""
    found = _all(folder)
    if not found:
        return []
    learning.load(found[-1])
    with (found[-1] / EPISODES).open() as file:
        return [Episode(float(row["reward"]), int(row["steps"])) for row in csv.DictReader(file)]


def _all(folder: Path) -> list[Path]:
    return sorted((folder / CHECKPOINTS).glob("steps-*"))


def _write_episodes(path: Path, episodes: Sequence[Episode]) -> None:
    file, total = io.StringIO(), 0
    rows = csv.writer(file, lineterminator="\n")
    rows.writerow(COLUMNS)
    for number, episode in enumerate(episodes, 1):
        total += episode.steps
        rows.writerow((number, episode.steps, total, repr(episode.reward)))
    write_whole(path, file.getvalue())
