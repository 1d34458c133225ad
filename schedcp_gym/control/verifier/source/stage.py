"""The source stage: compiled and parsed in jails, side by side, then judged by the rules."""

import time
from concurrent.futures import ThreadPoolExecutor

from schedcp_gym.control.verifier.report import Finding, Severity, Stage, StageReport
from schedcp_gym.control.verifier.source.flow import Flow
from schedcp_gym.control.verifier.source.parse import parse_policy
from schedcp_gym.control.verifier.source.rules import all_rules
from schedcp_gym.lab import elf, jail
from schedcp_gym.lab.compiler import CompileError, check_text, compile_policy
from schedcp_gym.machine.image import Image
from schedcp_gym.spec import Policy

#: Findings that are shown first; the log has all.
_EVIDENCE_LINES = 5
_REFUSED_FIX = "Include <scx/common.bpf.h> and the other headers by name, and keep the source small and plain."
_COMPILE_FIX = "Fix the line that the compiler names."


def check_source(policy: Policy, image: Image) -> tuple[StageReport, bytes | None]:
    """Compile, parse and check a policy; a bad one is a report, not an exception.

    Returns:
        The report, and the object when it compiled.

    Raises:
        MissingTool: The compiler, its library or the jail is not there: no policy can be checked.
    """
    began = time.monotonic()
    if policy.is_eevdf:
        return StageReport(
            Stage.SOURCE, True, "the kernel's own scheduler: nothing to check", timings_s={"total": 0.0}
        ), None
    compiled: bytes | None = None
    try:
        check_text(policy.source)
        with ThreadPoolExecutor(2) as pool:
            parsing = pool.submit(parse_policy, policy.source, image)
            compiled = compile_policy(policy.source, image)
            program = parsing.result().with_sections(elf.sections(compiled))
        flow = Flow(program)
        findings = [finding for rule in all_rules() for finding in rule.findings(flow)]
        if not flow.complete:
            findings = [_unfit("the source calls or computes too much to be followed")]
        log = ""
    except CompileError as error:
        compiled = None
        findings, log = _findings_of(error), str(error)
    except jail.JailKilled as error:
        return StageReport(Stage.SOURCE, False, str(error), infra_fault=True), None
    except RecursionError:
        findings, log = [_unfit("the source is nested too deeply to be checked")], ""
    return _report(findings, log, time.monotonic() - began), compiled


def _report(findings: list[Finding], log: str, total_s: float) -> StageReport:
    findings.sort(key=lambda finding: (finding.severity is not Severity.ERROR, finding.line or 0))
    errors = [finding for finding in findings if finding.severity is Severity.ERROR]
    lines = [_line(finding) for finding in findings]
    if errors:
        summary = _line(errors[0]) + (f" (and {len(errors) - 1} more)" if len(errors) > 1 else "")
    else:
        summary = f"compiled, {len(all_rules())} rules kept" + (f", {len(lines)} warnings" if lines else "")
    return StageReport(
        stage=Stage.SOURCE,
        passed=not errors,
        summary=summary,
        findings=tuple(findings),
        evidence="\n".join(lines[:_EVIDENCE_LINES]),
        log=log or "\n".join(lines),
        timings_s={"total": total_s},
    )


def _line(finding: Finding) -> str:
    place = f"line {finding.line}: " if finding.line else ""
    return f"{place}{finding.rule}: {finding.why}"


def _findings_of(error: CompileError) -> list[Finding]:
    if error.refusals:
        return [Finding("refused-source", entry.line, entry.what, _REFUSED_FIX) for entry in error.refusals]
    findings = []
    for text in str(error).splitlines():
        place, found, what = text.partition(" error: ")
        if found:
            number = place.split(":")[1:2]
            line = int(number[0]) if place.startswith("policy.bpf.c:") and number[0].isdigit() else None
            findings.append(Finding("does-not-compile", line, what.strip(), _COMPILE_FIX))
    return findings or [Finding("does-not-compile", None, str(error).splitlines()[0], _COMPILE_FIX)]


def _unfit(why: str) -> Finding:
    return Finding("refused-source", None, why, _REFUSED_FIX)
