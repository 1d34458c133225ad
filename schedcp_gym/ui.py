"""Progress and messages of commands, on standard error."""

import contextlib
import logging
import re
from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from rich.progress import Progress, ProgressColumn

#: A function that shows a step's name and the share that is done, 0 to 1.
ShowProgress = Callable[[str, float], None]
#: Control characters (except tab and newline) and marks that change the direction of text.
_CONTROL = re.compile(r"[\x00-\x08\x0b-\x1f\x7f-\x9f\u200e\u200f\u202a-\u202e\u2066-\u2069]")


def log_to_stderr() -> None:
    """Print each warning of the library as one line on standard error."""
    logging.basicConfig(level=logging.WARNING, format="%(levelname)s: %(message)s", force=True)
    logging.addLevelName(logging.WARNING, "warning")


def harmless(text: str) -> str:
    """Return a text of a policy's author or of the guest, with its control characters replaced by visible escapes."""
    return _CONTROL.sub(lambda match: f"\\u{ord(match[0]):04x}", text)


@contextlib.contextmanager
def build_progress() -> Iterator[ShowProgress]:
    """Show a progress bar while the image is built, or lines if standard error is not a terminal.

    Nothing is shown if the image is there already.
    """
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
    """Return a progress bar on standard error that counts things.

    The bar is shown on a terminal only. Lines printed on its console (``bar.console``) appear above it.

    Args:
        columns: Further columns at the end of the bar.
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
    """Show a spinner on standard error while the stages of a verification run.

    Yields:
        A function that hides the spinner while a result is printed: ``pause(print_result)``.
    """
    from rich.console import Console

    console = Console(stderr=True, highlight=False)
    if not shown or not console.is_terminal:
        yield lambda print_result: print_result()
        return
    status = console.status("verifying")

    def pause(print_result: Callable[[], None]) -> None:
        status.stop()
        print_result()
        status.start()

    with status:
        yield pause
