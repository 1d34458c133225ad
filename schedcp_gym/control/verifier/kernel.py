"""Stage 2: the kernel's own verifier, in a micro-VM."""

import functools
import re
from pathlib import Path

from schedcp_gym.control.verifier.reference import slowdown
from schedcp_gym.control.verifier.report import Figure, Stage, StageReport
from schedcp_gym.lab.attempts import run_job
from schedcp_gym.lab.trial_job import read_report, tunables_file
from schedcp_gym.machine import Job, Machine
from schedcp_gym.spec import Policy

RUN_SCRIPT = Path(__file__).with_name("run-load.sh")
#: Guest seconds for loading, on the 2-CPU machine. The kernel's verifier gives up by itself, after a million
#: instructions of the policy.
LOAD_LIMIT_S = 40.0
#: Lines of evidence shown; the log has them all.
EVIDENCE_LINES = 24

_PROGRAM_OF_STATISTICS = re.compile(r"(\w+): (?:verification time|processed|stack depth)")
_COUNT = re.compile(r"processed (\d+) insns \(limit (\d+)\)")
_PROGRAM = re.compile(r"prog '(\w+)': BPF program load failed")


def check_kernel(policy: Policy, compiled: bytes, machine: Machine) -> StageReport:
    """Load a policy in a micro-VM, and enable it.

    Args:
        policy: For its tunables.
        compiled: Its object.
        machine: Where.

    Returns:
        Figures: instructions the kernel's verifier walked through, by callback, against its limit. A refusal's
        evidence is the part that matters: the program, the kernel's reason, the line of the source; the whole log is
        kept too.
    """
    files = {"run": RUN_SCRIPT.read_bytes(), "policy.bpf.o": compiled, "tunables": tunables_file(policy)}
    result = run_job(machine, Job(files, LOAD_LIMIT_S * slowdown(machine.spec)))
    timings = {"total": result.timings_s.get("total", 0.0)}
    say = functools.partial(StageReport, Stage.KERNEL, timings_s=timings, guest_s=result.job_s or 0.0)
    log, report = result.text("verifier.log"), read_report(result)
    if report is None or not {"outcome", "stage", "message"} <= report.keys():
        summary = result.message or "the micro-VM left no report"
        return say(False, summary, log=log + result.console, infra_fault=result.says_nothing)
    figures = instruction_counts(log)
    if report["outcome"] == "ok":
        most = max(figures, key=lambda figure: figure.value or 0.0, default=None)
        counted = f", at most {most.value:.0f} instructions ({most.case})" if most else ""
        return say(True, f"loaded: {len(figures)} callbacks{counted}", figures=figures, log=log)
    kernel_log = str(report.get("kernel_log") or "")
    evidence = what_matters(log) or "\n".join(kernel_log.splitlines()[-EVIDENCE_LINES:])
    words = "\n".join(filter(None, (log, kernel_log)))
    return say(False, f"{report['stage']}: {report['message']}", figures=figures, evidence=evidence, log=words)


def instruction_counts(log: str) -> tuple[Figure, ...]:
    """Return the instructions that the kernel's verifier walked through, by program, from the loader's log."""
    why = "the kernel gives up on a program that is too complex: fewer branches in loops, smaller loops, bpf_loop()"
    figures, program = [], ""
    for line in log.splitlines():
        if of := _PROGRAM_OF_STATISTICS.match(line):
            program = of[1]
        if program and (count := _COUNT.search(line)):
            figures.append(Figure(program, "instructions", float(count[1]), float(count[2]), why=why))
            program = ""
    return tuple(figures)


def what_matters(log: str) -> str:
    """Return the shortest useful part of a refusal: the program, the kernel's reason, the source's line.

    Kernels from 7.3 on explain themselves ("Verification failed: …"); of older ones the last lines before the
    statistics are it.
    """
    program = _PROGRAM.search(log)
    head = [f"program {program[1]}:"] if program else []
    before, explained, after = log.partition("Verification failed: ")
    if explained:
        complaint = before.rstrip().splitlines()[-1:]
        reason = after.partition("\nCausal path:")[0].partition("\nprocessed ")[0]
        suggestion = after.partition("\nSuggestion:\n")[2].partition("\n\n")[0]
        lines = [*complaint, *reason.splitlines(), *(["Suggestion:", *suggestion.splitlines()] if suggestion else [])]
    else:
        body = log.partition("-- BEGIN PROG LOAD LOG --\n")[2].partition("\nprocessed ")[0] or log
        lines = body.rstrip().splitlines()[-12:]
    return "\n".join([*head, *(line for line in lines if line.strip())][:EVIDENCE_LINES])
