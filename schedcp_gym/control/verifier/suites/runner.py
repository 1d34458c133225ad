"""Run a suite: some verifications at a time, each verdict kept as soon as it is there."""

import threading
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor, as_completed
from typing import Protocol

from schedcp_gym.control.verifier.report import VerifierReport
from schedcp_gym.control.verifier.suites.cases import Case
from schedcp_gym.control.verifier.suites.record import Verdict, Verdicts, key_of
from schedcp_gym.spec import Policy

#: How often a case is tried when the host fails it.
TRIES = 2


class Verifies(Protocol):
    """The part of a verifier that a suite needs."""

    def verify(self, policy: Policy) -> VerifierReport:
        """Take a policy through the stages until one fails."""


def run_suite(
    cases: Sequence[Case],
    verifier: Verifies,
    verdicts: Verdicts,
    *,
    verifier_digest: str,
    workers: int = 2,
    done: Callable[[Case, Verdict], None] | None = None,
    stop: Callable[[], None] | None = None,
) -> list[Verdict]:
    """Verify all cases whose verdict is not known yet.

    Args:
        cases: What to verify.
        verifier: Takes a policy through the stages.
        verdicts: Where verdicts are kept; what it knows already is not verified again.
        verifier_digest: Digest of all that a verdict follows from besides the case.
        workers: Verifications at once.
        done: Called with each verdict, those known from before included; never twice at once.
        stop: Called when the suite is interrupted, to end what runs.

    Returns:
        The verdicts, in the order of the cases.
    """
    found: dict[int, Verdict] = {}
    lock = threading.Lock()

    def tell(index: int, verdict: Verdict) -> None:
        with lock:
            found[index] = verdict
            if done:
                done(cases[index], verdict)

    def work(index: int, key: str) -> None:
        verdict = _verify(cases[index], verifier, key, halted)
        if not halted.is_set():
            with lock:
                verdicts.add(verdict)
            tell(index, verdict)

    halted = threading.Event()
    missing = []
    for index, case in enumerate(cases):
        key = key_of(case, verifier_digest)
        if known := verdicts.get(key):
            tell(index, known)
        else:
            missing.append((index, key))
    pool = ThreadPoolExecutor(workers, thread_name_prefix="suite")
    futures = [pool.submit(work, index, key) for index, key in missing]
    try:
        for future in as_completed(futures):
            future.result()
    except BaseException:
        halted.set()
        if stop:
            stop()
        raise
    finally:
        pool.shutdown(wait=True, cancel_futures=True)
    return [found[index] for index in range(len(cases))]


def _verify(case: Case, verifier: Verifies, key: str, halted: threading.Event) -> Verdict:
    for _ in range(TRIES):
        try:
            report = verifier.verify(Policy(case.name, case.source))
        except Exception as error:
            error.add_note(f"while verifying {case.name}")
            raise
        verdict = _verdict(case, report, key)
        if not verdict.infra_fault or halted.is_set():
            break
    return verdict


def _verdict(case: Case, report: VerifierReport, key: str) -> Verdict:
    last = report.stages[-1]
    return Verdict(
        key=key,
        name=case.name,
        group=case.group,
        expected=case.stage,
        caught_at=report.caught_at,
        infra_fault=report.infra_fault,
        why=last.summary,
        stage_s={stage.stage.value: round(stage.timings_s.get("total", 0.0), 3) for stage in report.stages},
    )
