"""The control plane: one session's view of schedulers and workloads."""

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
    """What may be observed and done, and on what: the state behind the tools. Safe to share between threads.

    Args:
        lab: Where everything runs; each call works in a branch of it, so that it can be stopped by itself.
        repository: The policy repository.
        workloads: Names of the workloads that tools may name; None: all.
        machine: The machine.
        scale: How long workloads run.
        deploy_scale: How long they run while a policy is deployed; None: as long as otherwise. With another length, a
            workload's processes may have other names, which a policy's tunables then do not fit.
        seed: Their seed.
        objective: What policies are scored by: one, or its name; None: each workload's own.
        measured_only: Measurements are somebody else's, as in a run, where the environment makes them: measure_policy
            is refused, and feedback is given on those policies only that :meth:`note_measured` was told of.
        wait_for_deployments: A deployment is over when deploy_policy returns.
        author: Who writes the policies that are added.

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

    # What there is

    def workload_names(self) -> list[str]:
        """Names of the workloads that tools may name, sorted."""
        return list(self._names)

    def workload(self, name: str) -> Workload:
        """A workload.

        Raises:
            BadInput: There is none of the name, or this plane is not for it.
        """
        if name not in self._names:
            raise catalogue.unknown("workload", name, self._names)
        return catalogue.load_workload(name)

    def resolve(
        self, policy: str | None = None, source: str | None = None, tunables: Mapping[str, Value] | None = None
    ) -> Policy:
        """What a tool's arguments ``policy``, ``source`` and ``tunables`` stand for; see :meth:`Policies.resolve`."""
        return self.policies.resolve(policy, source, tunables)

    def trial(self, workload: str, policy: Policy) -> Trial:
        """A policy on a workload, on this plane's machine, scale and seed.

        Raises:
            BadInput: There is no such workload here.
        """
        return Trial(policy, self.workload(workload), self.machine, self.scale, self.seed)

    def analyzer(self, lab: Lab) -> Analyzer:
        """The analysis engine on this plane's machine, scale and seed."""
        return Analyzer(lab, self.machine, self.scale, self.seed)

    def verifier(self, lab: Lab) -> Verifier:
        """The verifier on this plane's machine."""
        return Verifier(lab, self.machine)

    # What has been measured

    def note_measured(
        self, workload: str, policy: Policy, measured: Measurement | None = None, baseline: Measurement | None = None
    ) -> None:
        """Takes note that a policy was measured: feedback on it may be given from now on.

        Args:
            workload: On what.
            policy: What was measured.
            measured: What it gave; with EEVDF's it becomes a result in the repository, now if the policy is there,
                else when it is added.
            baseline: What EEVDF gave in its place.

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
        """Sees to it that feedback is no measurement by another name.

        Raises:
            BadInput: Only measured policies get feedback here, and this one was not.
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
        """Adds a policy to the repository, with what was measured of it before; see :meth:`Repository.add`."""
        kept = self.repository.add(record)
        with self._lock:
            mine = {key: each for key, each in self._results.items() if each[0].source == kept.source}
            for key in mine:
                del self._results[key]
        for policy, result in mine.values():
            self._record(kept, policy, result)
        return kept

    def _record(self, record: PolicyRecord, policy: Policy, result: ResultRecord) -> None:
        """A result's values are those that differ from the record's own."""
        values = {name: value for name, value in policy.tunables if record.values.get(name) != value}
        self.repository.record(dataclasses.replace(result, policy=record.id, values=values))

    # Deployment

    def keep_token(self, policy: Policy, token: str, session: str = "") -> None:
        """Keeps the verifier's token for a policy with its tunables.

        Args:
            policy: What passed.
            token: What it was given.
            session: Who was given it; empty: whoever asks.
        """
        with self._lock:
            self._tokens[session, policy.source, policy.tunables] = token

    def token_of(self, policy: Policy, session: str = "") -> str:
        """The token that a session was given for a policy with these tunables.

        Raises:
            BadInput: None was.
        """
        with self._lock:
            found = [self._tokens.get((each, policy.source, policy.tunables)) for each in (session, "")]
        token = found[0] or found[1]
        if token is None:
            raise BadInput(f"{policy.name} with these tunables has no token: submit_policy with stages=full gives one")
        return token

    def note_deployed(self, deployment: Deployment) -> None:
        """Takes note of a deployment's end: who watches is told, and the repository keeps it as a result."""
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
        # What came of it mixes several shares of tasks: a result, but none to be compared with EEVDF's.
        result = result_of(trial, measured, objective=self.objective, origin="deployment")
        self._record(record, deployment.policy, result)

    # Ending

    def branch(self) -> Lab:
        """A lab for one call: stopping it ends that call's machines and no others."""
        lab = self.lab.branch()
        with self._lock:
            self._branches.add(lab)
            closed = self._closed
        if closed:
            lab.stop()
        return lab

    def close(self) -> None:
        """Ends all that is under way, and what is begun after this. The lab itself is left as it is."""
        with self._lock:
            self._closed = True
            branches = list(self._branches)
        for lab in branches:
            lab.stop()
