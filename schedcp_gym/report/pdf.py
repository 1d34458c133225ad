"""Print a page to PDF with headless Chromium."""

import os
import shutil
import subprocess
import tempfile
from pathlib import Path

from schedcp_gym.spec import BadInput, SchedcpError

NAMES = ("chromium", "chromium-browser", "google-chrome")
LIMIT_S = 180
#: Time for the page's charts before it is printed, in milliseconds of the page's clock.
DRAWING_MS = 20_000


def find_chromium() -> str:
    """Return the browser's path.

    Raises:
        BadInput: Chromium is not installed.
    """
    for name in NAMES:
        if path := shutil.which(name):
            return path
    raise BadInput("--pdf prints with Chromium, which is not installed: apt-get install chromium (Debian's package)")


def print_pdf(page: Path, into: Path) -> None:
    """Print a page.

    Args:
        page: The HTML file.
        into: The PDF file.

    Raises:
        BadInput: Chromium is not installed.
        SchedcpError: Chromium did not print the page.
    """
    chromium = find_chromium()
    # Chromium does not start as root with its sandbox. The page is our own, and all texts in it are escaped.
    as_root = ["--no-sandbox"] if os.geteuid() == 0 else []
    with tempfile.TemporaryDirectory(prefix="schedcp-gym-pdf-", ignore_cleanup_errors=True) as profile:
        part = Path(profile) / "report.pdf"
        command = [
            *(chromium, "--headless", "--disable-gpu", "--no-first-run", "--no-pdf-header-footer", *as_root),
            *(f"--user-data-dir={profile}/profile", f"--virtual-time-budget={DRAWING_MS}"),
            *(f"--print-to-pdf={part}", page.resolve().as_uri()),
        ]
        try:
            done = subprocess.run(command, capture_output=True, text=True, timeout=LIMIT_S, check=False)
        except subprocess.TimeoutExpired:
            raise SchedcpError(f"{chromium} did not print the report within {LIMIT_S} s") from None
        if done.returncode or not part.is_file():
            lines = done.stderr.strip().splitlines() or [f"exit status {done.returncode}"]
            raise SchedcpError(f"{chromium} did not print the report: {lines[-1][:300]}")
        shutil.copyfile(part, into)
