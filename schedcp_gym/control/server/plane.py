"""The control plane: the state behind the tools."""

import dataclasses
import threading
import weakref
from collections.abc import Collection, Mapping

from schedcp_gym.control.analysis.engine import Analyzer
from schedcp_gym.control.repository import PolicyRecord, Repository, ResultRecord, result_of
from schedcp_gym.control.server.deployments import Deployment, Deployments
from schedcp_gym.control.server.policies import Policies
from schedcp_gym.control.server.watch import Watch
from schedcp_gym.control.verifier.canary import Verdict
from schedcp_gym.control.verifier.verifier import Verifier
from schedcp_gym.lab import Lab, catalogue
from schedcp_gym.spec import BadInput, MachineSpec, Measurement, Objective, Outcome, Policy, Scale, Trial, Workload
from schedcp_gym.spec.policy import Value


class ControlPlane:
    """The state behind the tools: workloads, machine, repository, results, tokens. Safe to share between threads.

    Args:
        lab: The lab. Each call uses a branch of it, so that one call can be stopped without the others.
        repository: The policy repository.
        workloads: Names of the workloads that tools may use; None: all.
        machine: The machine.
        scale: Scale of the workloads' runs.
        deploy_scale: Scale while a policy is deployed; None: ``scale``. With another scale, a workload's processes may
            have other names, and a policy's tunables may not fit.
        seed: The workloads' seed.
        objective: The objective that scores policies, or its name; None: each workload's own.
        measured_only: The environment makes all measurements, as in a run: measure_policy is an error, and feedback is
            given only on policies that :meth:`note_measured` was called for.
        wait_for_deployments: deploy_policy returns at the deployment's end.
        author: Author of the policies that are added to the repository.

    Raises:
        BadInput: There is no such workload or objective.
    """

    def __init__(
        self,
        lab: Lab,
        *,
        repository: Repository,
        workloads: Collection[str] | None = None,
        machine: MachineSpec = MachineSpec(),  # noqa: B008  a frozen value
        scale: Scale = Scale.SMOKE,
        deploy_scale: Scale | None = None,
        seed: int = 0,
        objective: str | Objective | None = None,
        measured_only: bool = False,
        wait_for_deployments: bool = False,
        author: str = "agent",
    ) -> None:
        self.lab = lab
        self.repository = repository
        self.machine = machine
        self.scale = scale
        self.deploy_scale = deploy_scale or scale
        self.seed = seed
        self.objective = objective
        self.measured_only = measured_only
        self.wait_for_deployments = wait_for_deployments
        self.author = author
        self.policies = Policies(repository)
        self.watch = Watch()
        self.deployments = Deployments()
        self._names = sorted(catalogue.workload_names() if workloads is None else set(workloads))
        self._measured: set[str] = set()
        self._tokens: dict[tuple[str, str, tuple[tuple[str, Value], ...]], str] = {}
        self._results: dict[str, tuple[Policy, ResultRecord]] = {}
        self._branches: weakref.WeakSet[Lab] = weakref.WeakSet()
        self._closed = False
        self._lock = threading.Lock()
        for name in self._names if workloads is not None else ():
            catalogue.find_objective(catalogue.load_workload(name), objective)

    # Workloads and policies

    def workload_names(self) -> list[str]:
        """Return the names of the workloads that tools may use, sorted."""
        return list(self._names)

    def workload(self, name: str) -> Workload:
        """Return a workload.

        Raises:
            BadInput: There is no such workload, or tools may not use it.
        """
        if name not in self._names:
            raise catalogue.unknown("workload", name, self._names)
        return catalogue.load_workload(name)

    def resolve(
        self, policy: str | None = None, source: str | None = None, tunables: Mapping[str, Value] | None = None
    ) -> Policy:
        """Return the policy that a tool's arguments stand for; see :meth:`Policies.resolve`."""
        return self.policies.resolve(policy, source, tunables)

    def trial(self, workload: str, policy: Policy) -> Trial:
        """Return the trial of a policy on a workload, with this plane's machine, scale and seed.

        Raises:
            BadInput: There is no such workload here.
        """
        return Trial(policy, self.workload(workload), self.machine, self.scale, self.seed)

    def analyzer(self, lab: Lab) -> Analyzer:
        """Return the analysis engine for this plane's machine, scale and seed."""
        return Analyzer(lab, self.machine, self.scale, self.seed)

    def verifier(self, lab: Lab) -> Verifier:
        """Return the verifier for this plane's machine."""
        return Verifier(lab, self.machine)

    # Measurements

    def note_measured(
        self, workload: str, policy: Policy, measured: Measurement | None = None, baseline: Measurement | None = None
    ) -> None:
        """Note that a policy was measured: from now on feedback on it is allowed.

        Args:
            workload: Name of the workload.
            policy: The policy.
            measured: Its measurement. Together with EEVDF's it becomes a result in the repository: now if the policy is
                there, else when the policy is added.
            baseline: EEVDF's measurement.

        Raises:
            BadInput: There is no such workload here.
        """
        trial = self.trial(workload, policy)
        with self._lock:
            self._measured.add(trial.digest)
        if measured is None or baseline is None or policy.is_eevdf or measured.outcome is Outcome.INFRA_FAULT:
            return
        result = result_of(trial, measured, baseline, objective=self.objective)
        if (record := self.policies.known(policy)) is not None:
            self._record(record, policy, result)
        else:
            with self._lock:
                self._results[result.id] = (policy, result)
        if result.reward is not None:
            self.watch.measured(workload, policy.name, result.reward)

    def check_measured(self, workload: str, policy: Policy) -> None:
        """Check that feedback on a policy is allowed, so that it cannot replace a measurement.

        Raises:
            BadInput: Only measured policies get feedback here, and this one was not measured.
        """
        if not self.measured_only or policy.is_eevdf:
            return
        with self._lock:
            known = self.trial(workload, policy).digest in self._measured
        if not known:
            raise BadInput(
                f"{policy.name} with these tunables was not measured on {workload} yet: measure_policy first"
            )

    def add(self, record: PolicyRecord) -> PolicyRecord:
        """Add a policy to the repository, with its results so far; see :meth:`Repository.add`."""
        kept = self.repository.add(record)
        with self._lock:
            mine = {key: each for key, each in self._results.items() if each[0].source == kept.source}
            for key in mine:
                del self._results[key]
        for policy, result in mine.values():
            self._record(kept, policy, result)
        return kept

    def _record(self, record: PolicyRecord, policy: Policy, result: ResultRecord) -> None:
        """Record a result, with those values that differ from the record's own."""
        values = {name: value for name, value in policy.tunables if record.values.get(name) != value}
        self.repository.record(dataclasses.replace(result, policy=record.id, values=values))

    # Deployment

    def keep_token(self, policy: Policy, token: str, session: str = "") -> None:
        """Keep the verifier's token for a policy with its tunables.

        Args:
            policy: The policy that passed.
            token: The token.
            session: The session that may use it; empty: all.
        """
        with self._lock:
            self._tokens[session, policy.source, policy.tunables] = token

    def token_of(self, policy: Policy, session: str = "") -> str:
        """Return a session's token for a policy with its tunables.

        Raises:
            BadInput: There is none.
        """
        with self._lock:
            found = [self._tokens.get((each, policy.source, policy.tunables)) for each in (session, "")]
        token = found[0] or found[1]
        if token is None:
            raise BadInput(f"{policy.name} with these tunables has no token: submit_policy with stages=full gives one")
        return token

    def note_deployed(self, deployment: Deployment) -> None:
        """Note a deployment's end: notify subscribers, and add a result to the repository."""
        report = deployment.report
        if report is None or report.verdict is Verdict.FAILED:
            return
        if report.kept:
            self.watch.deployed(deployment.workload, deployment.policy.name)
        record = self.policies.known(deployment.policy)
        if record is None or (report.kept and not report.metrics):
            return
        trial = dataclasses.replace(self.trial(deployment.workload, deployment.policy), scale=self.deploy_scale)
        outcome = Outcome.OK if report.kept else Outcome.EJECTED
        message = "" if report.kept else f"a deployment was taken back: {report.reason}"
        metrics = report.metrics if report.kept else {}
        measured = Measurement(trial.digest, outcome, metrics=metrics, message=message, job_s=report.wall_s)
        # The metrics mix several shares of tasks, so the result has no reward.
        result = result_of(trial, measured, objective=self.objective, origin="deployment")
        self._record(record, deployment.policy, result)

    # Ending

    def branch(self) -> Lab:
        """Return a lab for one call. Stopping it ends the virtual machines of that call and no others."""
        lab = self.lab.branch()
        with self._lock:
            self._branches.add(lab)
            closed = self._closed
        if closed:
            lab.stop()
        return lab

    def close(self) -> None:
        """Stop all calls, also those that begin later. The lab itself stays usable."""
        with self._lock:
            self._closed = True
            branches = list(self._branches)
        for lab in branches:
            lab.stop()
