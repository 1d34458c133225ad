"""Find the reason and the decisive lines in the log of a failed trial."""

import re

from schedcp_gym.control.verifier.kernel import what_matters
from schedcp_gym.spec import Measurement, Outcome

LINES, LINE_CHARS = 12, 160
_LOADER = re.compile(r"^(load|open|attach|enable|run|compile): ")
_PROGRAM = re.compile(r"bpf_prog_[0-9a-f]{16}_(\w+)")
_CRASH = re.compile(
    r"BUG:|Oops|Kernel panic|RIP:|Out of memory|oom-kill|watchdog:|rcu_.*stall|WARNING:|general protection"
)
_NOISE = re.compile(
    r'BPF scheduler "[^"]*" enabled|Process accounting|verification time|stack depth|subprog |processed \d+ insns'
)


def reason_of(measured: Measurement) -> str:
    """Return why a trial failed: the loader's message, without repetitions."""
    parts = dict.fromkeys(part.strip() for part in " ".join(measured.message.split()).split("; "))
    return "; ".join(part for part in parts if part and not any(part in other for other in parts if other != part))


def decisive_lines(measured: Measurement) -> list[str]:
    """Return the lines of the log that show the error, the most important first."""
    lines = [line.rstrip() for line in measured.log.splitlines() if line.strip()]
    stage = _LOADER.match(measured.message)
    kind = stage[1] if stage else ""
    if measured.outcome is Outcome.REJECTED and kind == "compile":
        found = _compiler(lines)
    elif measured.outcome is Outcome.REJECTED and kind == "load":
        found = _refusal(measured.log)
    elif measured.outcome in (Outcome.REJECTED, Outcome.EJECTED):
        found = _kernels(lines)
    elif measured.outcome is Outcome.GUEST_CRASH:
        found = [line for line in lines if _CRASH.search(line)] or lines[-LINES:]
    else:
        found = [line for line in lines if not _NOISE.search(line)][-LINES:]
    return [line if len(line) <= LINE_CHARS else f"{line[: LINE_CHARS - 1]}…" for line in found[:LINES]]


def _compiler(lines: list[str]) -> list[str]:
    """Return each error with the two lines below it, which show source and column."""
    found: list[str] = []
    for place, line in enumerate(lines):
        if "error:" in line:
            found += [line, *(below for below in lines[place + 1 : place + 3] if re.match(r"\s*\d*\s*\|", below))]
    return found or lines


def _refusal(log: str) -> list[str]:
    """Return the error of the kernel's verifier, the line of the source, and its suggestion."""
    lines = what_matters(log).splitlines()
    if not any(">>>" in line for line in lines):
        return lines
    suggestion = log.partition("\nSuggestion:\n")[2].partition("\n\n")[0].splitlines()
    head = [line for line in lines[:2] if line.strip()]
    at = [line.strip() for line in lines if re.search(r">>>\s*\d+ \| (?!\([0-9a-f]{2}\))|\^--", line)]
    return [*head, *at, *(line.strip() for line in suggestion)]


def _kernels(lines: list[str]) -> list[str]:
    """Return what sched_ext logged, and which of the policy's callbacks was running."""
    found = [line for line in lines if "sched_ext:" in line and not _NOISE.search(line)]
    if callback := next((match[1] for line in lines if (match := _PROGRAM.search(line))), ""):
        found.append(f"in the policy's {callback}()")
    return found
