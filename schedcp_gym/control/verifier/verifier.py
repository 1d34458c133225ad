"""The verifier: a policy goes through the stages in order, the cheap ones before the expensive ones."""

import dataclasses
import hashlib
from collections.abc import Callable, Collection

from schedcp_gym.control.verifier import token
from schedcp_gym.control.verifier.behaviour import check_behaviour
from schedcp_gym.control.verifier.kernel import check_kernel
from schedcp_gym.control.verifier.performance import check_performance
from schedcp_gym.control.verifier.report import Stage, StageReport, VerifierReport
from schedcp_gym.control.verifier.source import check_source
from schedcp_gym.lab import Lab
from schedcp_gym.spec import BadInput, MachineSpec, Policy, source_sha256

ALL = tuple(Stage)


class Verifier:
    """Verifies policies on one machine. Safe to share between threads."""

    def __init__(self, lab: Lab, spec: MachineSpec | None = None) -> None:
        """Prepare a verifier; nothing is built or booted yet.

        Args:
            lab: Gives images and machines, and measures.
            spec: The machine; the default one if None.
        """
        self.lab = lab
        self.spec = spec or MachineSpec()

    def verify(
        self,
        policy: Policy,
        *,
        stages: Collection[Stage] = ALL,
        on_stage: Callable[[StageReport], None] | None = None,
    ) -> VerifierReport:
        """Take a policy through the stages until one fails.

        Args:
            policy: Source and tunables; other values of its tunables are another policy.
            stages: Which to run. The source is compiled and checked in any case.
            on_stage: Called with the report of each stage as it ends.

        Returns:
            Each stage's report, and a token when all have passed. A bad policy is a report, not an exception.

        Raises:
            BadInput: It is the kernel's own scheduler.
            SchedcpError: Image, QEMU or compiler is missing: nothing can be verified.
        """
        if policy.is_eevdf:
            raise BadInput("eevdf is the kernel's own scheduler: there is nothing to verify")
        machine = self.lab.machine(self.spec)
        reports: list[StageReport] = []

        def passes(report: StageReport) -> bool:
            reports.append(report)
            if on_stage:
                on_stage(report)
            return report.passed

        report, compiled = check_source(policy, machine.image)
        checks: dict[Stage, Callable[[bytes], StageReport]] = {
            Stage.KERNEL: lambda code: check_kernel(policy, code, machine),
            Stage.BEHAVIOUR: lambda code: check_behaviour(policy, self.lab, self.spec, code),
            Stage.PERFORMANCE: lambda _: check_performance(policy, self.lab, self.spec),
        }
        if passes(report) and compiled is not None:
            for stage, check in checks.items():
                if stage in stages and not passes(check(compiled)):
                    break
        digests = {
            "policy": source_sha256(policy.source),
            "image": machine.image.digest,
            "kernel": machine.image.kernel,
            "machine": machine.digest,
            **({"object": hashlib.sha256(compiled).hexdigest()} if compiled is not None else {}),
        }
        whole = VerifierReport(policy.name, policy.tunables, tuple(reports), digests)
        if not whole.passed or {each.stage for each in reports} != set(Stage):
            return whole
        issued = token.issue(
            object_digest=digests["object"],
            image=machine.image,
            tunables=policy.tunables,
            stages=Stage,
            machine=self.spec,
        )
        return dataclasses.replace(whole, token=issued)
