"""``schedcp-gym train``: reinforcement learning on an environment, outside of a run."""

import dataclasses
import json
import math
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer
import yaml

from schedcp_gym import ui
from schedcp_gym.cli.options import JsonOption, pairs

if TYPE_CHECKING:
    from schedcp_gym.baselines.rllib.curve import Episode, Gain, Part
    from schedcp_gym.baselines.rllib.training import Training

EPILOG = (
    "Examples: [bold]schedcp-gym train ppo SchedCP/Longtail-TuneFlat-v0 --steps 96 --out runs/ppo[/bold] · "
    "[bold]schedcp-gym train sac SchedCP/Schbench-TuneFlat-v0 --env max_steps=6 --set lanes=2 --out runs/sac[/bold] · "
    "[bold]schedcp-gym train ppo CartPole-v1 --set gamma=0.99 --steps 20000 --seeds 5 --out runs/pole --resume[/bold]"
)


@dataclasses.dataclass(frozen=True)
class Result:
    """What a training with one seed gave; nothing of uniform actions where they were not asked for.

    Attributes:
        seed: The training's.
        episodes: How many have ended.
        curve: Their rewards, by tenths.
        uniform: Rewards of uniform actions.
        gain: The last tenth against these.
    """

    seed: int
    episodes: int
    curve: "list[Part]"
    uniform: "Part | None"
    gain: "Gain | None"


def register(app: typer.Typer) -> None:
    """Adds the command."""
    app.command(epilog=EPILOG)(train)


def train(
    method: Annotated[str, typer.Argument(help="ppo or sac; configs/train/ has their settings.")],
    env_id: Annotated[str, typer.Argument(metavar="ENV_ID", help="A Gymnasium id, like those of `list envs`.")],
    out: Annotated[Path, typer.Option(help="Folder for the episodes and checkpoints.")],
    steps: Annotated[int, typer.Option(min=1, help="Environment steps in all.")] = 20_000,
    seed: Annotated[int, typer.Option(min=0, max=2**31 - 1, help="All randomness comes from it.")] = 1,
    seeds: Annotated[
        int, typer.Option(min=1, max=1000, help="Trainings, with this many seeds from --seed on; each in a folder.")
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
        typer.Option(min=0, help="Episodes of uniform actions to compare with; by default as many as the last tenth."),
    ] = None,
    resume: Annotated[bool, typer.Option("--resume", help="Go on with what the folder holds.")] = False,
    as_json: JsonOption = False,
) -> None:
    """Train PPO or SAC (RLlib) on an environment, and compare with uniform actions.

    Needs PyTorch and RLlib, the extra `rl`. Prints the learning curve, and how much more the last tenth of episodes
    earns than uniform actions do (95 % intervals: bootstrap over episodes, Student's t over several seeds).

    The folder gets config.yaml, episodes.csv (reward of each episode) and checkpoints/. After Ctrl-C or kill -9 the
    same command with --resume goes on from the last checkpoint, and gives what it would have given undisturbed.

    Steps on real environments are measured one at a time, outside of any budget: `python -m schedcp_gym.run +agent=ppo`
    measures several at once, and records each.
    """
    from schedcp_gym.baselines.rllib.training import Training, method_names
    from schedcp_gym.lab.catalogue import unknown

    if method not in method_names():
        raise unknown("method", method, method_names())
    options, changed = _values(env or [], "--env"), _values(settings or [], "--set")
    results = []
    for number in range(seed, seed + seeds):
        training = Training(method, env_id, options, changed, steps, number, checkpoint_steps)
        results.append(_train(training, out / f"seed-{number}" if seeds > 1 else out, random_episodes, resume=resume))
        if not as_json:
            _print(f"{method} on {env_id}, seed {number}", results[-1])
    overall = _overall(results)
    if as_json:
        print(json.dumps({"seeds": [_plain(result) for result in results], "gain": _plain(overall)}, indent=1))
        return
    if overall and seeds > 1:
        print(f"last tenth less uniform actions, mean of {seeds} seeds: {_gain_words(overall)}")
    print(f"episodes and checkpoints: {out}")


def _train(training: "Training", folder: Path, random_episodes: int | None, *, resume: bool) -> Result:
    from schedcp_gym.baselines.rllib.curve import curve_of, gain_of, last_tenth, part_of

    title = f"{training.method} on {training.env_id}, seed {training.seed}"
    with ui.counting_bar() as bar:
        task = bar.add_task(title, total=training.steps)

        def told(done: int, ended: Sequence["Episode"]) -> None:
            latest = f", reward {ended[-1].reward:.3g}" if ended else ""
            bar.update(task, completed=min(done, training.steps), description=title + latest)

        try:
            episodes = training.train(folder, resume=resume, told=told)
        except KeyboardInterrupt:
            raise KeyboardInterrupt(f"interrupted; --resume goes on from the last checkpoint in {folder}") from None
        learnt = last_tenth(episodes)
        count = len(learnt) if random_episodes is None else random_episodes
        rewards = list(bar.track(training.uniform_rewards(count), total=count, description="uniform actions"))
    return Result(
        training.seed,
        len(episodes),
        curve_of(episodes),
        part_of(rewards) if rewards else None,
        gain_of(learnt, rewards, training.seed) if learnt and rewards else None,
    )


def _overall(results: Sequence[Result]) -> "Gain | None":
    from schedcp_gym.baselines.rllib.curve import mean_gain

    gains = [result.gain for result in results if result.gain]
    if len(results) == 1 or len(gains) < len(results):
        return gains[0] if gains else None
    return mean_gain(gains)


def _values(words: list[str], option: str) -> dict[str, Any]:
    """Values as YAML reads them: numbers, lists, true, null."""
    return {name: yaml.safe_load(str(text)) for name, text in pairs(words, option).items()}


def _plain(value: Any) -> Any:
    """As JSON has words for it: what is infinite is null."""
    if dataclasses.is_dataclass(value) and not isinstance(value, type):
        return {field.name: _plain(getattr(value, field.name)) for field in dataclasses.fields(value)}
    if isinstance(value, list):
        return [_plain(item) for item in value]
    return None if isinstance(value, float) and not math.isfinite(value) else value


def _gain_words(gain: "Gain") -> str:
    interval = f" (95 % interval {gain.low:+.3g} to {gain.high:+.3g})" if math.isfinite(gain.low) else ""
    return f"{gain.reward:+.4g}{interval}"


def _print(title: str, result: Result) -> None:
    from rich import box
    from rich.console import Console
    from rich.table import Table

    table = Table(title=title, title_justify="left", box=box.SIMPLE_HEAD)
    for column in ("steps", "episodes", "mean reward", "95 % interval"):
        table.add_column(column, justify="right")
    rows = [(f"{part.steps_total:,}", part) for part in result.curve]
    rows += [("uniform actions", result.uniform)] if result.uniform else []
    for name, part in rows:
        width = f"± {part.half_width:.3g}" if math.isfinite(part.half_width) else ""
        table.add_row(name, f"{part.episodes:,}", f"{part.reward:.4g}", width)
    console = Console(highlight=False)
    console.print(table if result.curve else f"{title}: no episode has ended; give more --steps")
    if result.gain:
        console.print(f"last tenth less uniform actions: {_gain_words(result.gain)}\n", soft_wrap=True)
