"""What commands show on a terminal: progress and messages on standard error, results on standard output."""

import contextlib
import logging
import re
from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from rich.progress import Progress, ProgressColumn

Report = Callable[[str, float], None]
#: What a terminal obeys instead of showing it: control characters but tab and newline, and changes of direction.
_CONTROL = re.compile(r"[\x00-\x08\x0b-\x1f\x7f-\x9f\u200e\u200f\u202a-\u202e\u2066-\u2069]")


def log_to_stderr() -> None:
    """Warnings of the library as one line each."""
    logging.basicConfig(level=logging.WARNING, format="%(levelname)s: %(message)s", force=True)
    logging.addLevelName(logging.WARNING, "warning")


def harmless(text: str) -> str:
    """Text of a policy's author, or of the guest, as a terminal may show it."""
    return _CONTROL.sub(lambda match: f"\\u{ord(match[0]):04x}", text)


@contextlib.contextmanager
def build_progress() -> Iterator[Report]:
    """A bar for the building of the image, shown only once there is something to report; lines where no terminal is."""
    from rich.console import Console
    from rich.progress import BarColumn, Progress, SpinnerColumn, TaskProgressColumn, TextColumn, TimeElapsedColumn

    console = Console(stderr=True, highlight=False)
    bar = Progress(
        SpinnerColumn(),
        TextColumn("image: {task.description}"),
        BarColumn(),
        TaskProgressColumn(),
        TimeElapsedColumn(),
        console=console,
    )
    task = bar.add_task("", total=1.0)
    shown = False

    def report(text: str, share: float) -> None:
        nonlocal shown
        if not console.is_terminal:
            console.print(f"image: {share:4.0%} {text}", soft_wrap=True, markup=False)
            return
        if not shown:
            bar.start()
            shown = True
        bar.update(task, description=text, completed=share)

    try:
        yield report
    finally:
        if shown:
            bar.stop()


def counting_bar(*columns: "ProgressColumn") -> "Progress":
    """A bar on standard error for things that are counted, with what is printed on its console above it.

    Shown on a terminal only; the console (``bar.console``) prints lines elsewhere too.

    Args:
        columns: More columns, at its end.
    """
    from rich.console import Console
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn

    console = Console(stderr=True, highlight=False)
    return Progress(
        TextColumn("{task.description}"),
        BarColumn(),
        MofNCompleteColumn(),
        TimeElapsedColumn(),
        *columns,
        console=console,
        disable=not console.is_terminal,
    )


@contextlib.contextmanager
def stages(*, shown: bool = True) -> Iterator[Callable[[Callable[[], None]], None]]:
    """A spinner on standard error while stages run; gives a function that lets one print its result."""
    from rich.console import Console

    console = Console(stderr=True, highlight=False)
    if not shown or not console.is_terminal:
        yield lambda say: say()
        return
    status = console.status("verifying")

    def pause(say: Callable[[], None]) -> None:
        status.stop()
        say()
        status.start()

    with status:
        yield pause
