"""The command ``schedcp-gym train``: train with reinforcement learning on an environment, without a run."""

import dataclasses
import math
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from schedcp_gym import ui
from schedcp_gym.cli import options

if TYPE_CHECKING:
    from schedcp_gym.baselines.rllib.curve import Episode, Gain, Part
    from schedcp_gym.baselines.rllib.training import Training


@dataclasses.dataclass(frozen=True)
class TrainingResult:
    """Results of a training with one seed; ``uniform`` and ``gain`` are None without uniform actions.

    Attributes:
        seed: Seed of the training.
        episodes: Number of finished episodes.
        curve: Their rewards, in ten parts.
        uniform: Rewards of uniform actions.
        gain: Rewards of the last tenth of the episodes minus those of uniform actions.
    """

    seed: int
    episodes: int
    curve: "list[Part]"
    uniform: "Part | None"
    gain: "Gain | None"


@options.command(
    "schedcp-gym train ppo SchedCP/Longtail-TuneFlat-v0 --steps 96 --out runs/ppo",
    "schedcp-gym train sac SchedCP/Schbench-TuneFlat-v0 --env max_steps=6 --set lanes=2 --out runs/sac",
    "schedcp-gym train ppo CartPole-v1 --set gamma=0.99 --steps 20000 --seeds 5 --out runs/pole --resume",
)
def train(
    method: Annotated[str, typer.Argument(help="ppo or sac; configs/train/ has their settings.")],
    env_id: Annotated[str, typer.Argument(metavar="ENV_ID", help="A Gymnasium id; see `list envs`.")],
    out: Annotated[Path, typer.Option(help="Folder for the episodes and checkpoints.")],
    steps: Annotated[int, typer.Option(min=1, help="Total number of environment steps.")] = 20_000,
    seed: Annotated[int, typer.Option(min=0, max=options.MOST_SEED, help="Seed of all random numbers.")] = 1,
    seeds: Annotated[
        int, typer.Option(min=1, max=1000, help="Train with so many seeds, from --seed on, each in its own folder.")
    ] = 1,
    settings: Annotated[
        list[str] | None, typer.Option("--set", metavar="K=V", help="A setting of the method; repeat.")
    ] = None,
    env: Annotated[
        list[str] | None, typer.Option("--env", metavar="K=V", help="An option of the environment; repeat.")
    ] = None,
    checkpoint_steps: Annotated[int, typer.Option(min=1, help="Steps between checkpoints.")] = 5_000,
    random_episodes: Annotated[
        int | None,
        typer.Option(min=0, help="Episodes of uniform actions to compare with (default: as many as the last tenth)."),
    ] = None,
    resume: Annotated[bool, typer.Option("--resume", help="Continue the training in the folder.")] = False,
    as_json: options.JsonOption = False,
) -> None:
    """Train PPO or SAC (RLlib) on an environment, and compare with uniform actions.

    It needs PyTorch and RLlib, the extra `rl`. It prints the learning curve, and how much more reward the last tenth of
    the episodes earns than uniform actions (95 % intervals: bootstrap over episodes, Student's t over several seeds).

    The folder gets config.yaml, episodes.csv (the reward of each episode) and checkpoints/. After Ctrl-C or kill -9,
    the same command with --resume continues from the last checkpoint, with the results of an undisturbed training.

    On real environments one step is measured at a time, without a budget. `python -m schedcp_gym.run +agent=ppo`
    measures several at once and records each.
    """
    from schedcp_gym.baselines.rllib.training import Training, method_names
    from schedcp_gym.lab.catalogue import unknown
    from schedcp_gym.printing import print_json

    if method not in method_names():
        raise unknown("method", method, method_names())
    given, changed = _values(env, "--env"), _values(settings, "--set")
    results = []
    for number in range(seed, seed + seeds):
        training = Training(method, env_id, given, changed, steps, number, checkpoint_steps)
        results.append(_train(training, out / f"seed-{number}" if seeds > 1 else out, random_episodes, resume=resume))
        if not as_json:
            _print(f"{method} on {env_id}, seed {number}", results[-1])
    overall = _overall(results)
    if as_json:
        print_json({"seeds": results, "gain": overall})
        return
    if overall and seeds > 1:
        print(f"last tenth minus uniform actions, mean of {seeds} seeds: {_gain_text(overall)}")
    print(f"episodes and checkpoints: {out}")


def _train(training: "Training", folder: Path, random_episodes: int | None, *, resume: bool) -> TrainingResult:
    from schedcp_gym.baselines.rllib.curve import curve_of, gain_of, last_tenth, part_of

    title = f"{training.method} on {training.env_id}, seed {training.seed}"
    with ui.counting_bar() as bar:
        task = bar.add_task(title, total=training.steps)

        def show(done: int, ended: Sequence["Episode"]) -> None:
            latest = f", reward {ended[-1].reward:.3g}" if ended else ""
            bar.update(task, completed=min(done, training.steps), description=title + latest)

        try:
            episodes = training.train(folder, resume=resume, told=show)
        except KeyboardInterrupt:
            message = f"interrupted; --resume continues from the last checkpoint in {folder}"
            raise KeyboardInterrupt(message) from None
        learnt = last_tenth(episodes)
        count = len(learnt) if random_episodes is None else random_episodes
        rewards = list(bar.track(training.uniform_rewards(count), total=count, description="uniform actions"))
    return TrainingResult(
        training.seed,
        len(episodes),
        curve_of(episodes),
        part_of(rewards) if rewards else None,
        gain_of(learnt, rewards, training.seed) if learnt and rewards else None,
    )


def _overall(results: Sequence[TrainingResult]) -> "Gain | None":
    from schedcp_gym.baselines.rllib.curve import mean_gain

    gains = [result.gain for result in results if result.gain]
    if len(results) == 1 or len(gains) < len(results):
        return gains[0] if gains else None
    return mean_gain(gains)


def _values(words: list[str] | None, option: str) -> dict[str, Any]:
    """Return the values of a repeated option, read as YAML: numbers, lists, true, null."""
    import yaml

    return {name: yaml.safe_load(str(text)) for name, text in options.pairs(words, option).items()}


def _gain_text(gain: "Gain") -> str:
    interval = f" (95 % interval {gain.low:+.3g} to {gain.high:+.3g})" if math.isfinite(gain.low) else ""
    return f"{gain.reward:+.4g}{interval}"


def _print(title: str, result: TrainingResult) -> None:
    from schedcp_gym.printing import console_of, table_of

    headings = ("steps", "episodes", "mean reward", "95 % interval")
    table = table_of(headings, title=title, right=headings)
    rows = [(f"{part.steps_total:,}", part) for part in result.curve]
    rows += [("uniform actions", result.uniform)] if result.uniform else []
    for name, part in rows:
        width = f"± {part.half_width:.3g}" if math.isfinite(part.half_width) else ""
        table.add_row(name, f"{part.episodes:,}", f"{part.reward:.4g}", width)
    console = console_of()
    console.print(table if result.curve else f"{title}: no episode has ended; give more --steps")
    if result.gain:
        console.print(f"last tenth minus uniform actions: {_gain_text(result.gain)}\n", soft_wrap=True)
