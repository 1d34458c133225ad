"""The analysis engine: answer questions about a workload, and store the answers."""

import dataclasses
import time
from collections.abc import Callable, Sequence
from typing import Any

from schedcp_gym.control.analysis import cache, custom, files, parts, profiles
from schedcp_gym.control.analysis.feedback import measure_feedback
from schedcp_gym.control.analysis.program import choose
from schedcp_gym.control.analysis.report import Analysis
from schedcp_gym.control.analysis.summary import summarise
from schedcp_gym.lab import Lab, catalogue
from schedcp_gym.spec import EEVDF, BadInput, Clock, MachineSpec, Objective, Policy, Scale, Trial, Workload
from schedcp_gym.spec.digest import digest

#: A function that analyses a trial: ``(lab, trial, **options) -> Analysis``. Options are plain values, as in JSON.
Look = Callable[..., Analysis]


class Analyzer:
    """Analyses of workloads on one machine, with one scale and one seed.

    On the virtual clock an answer is a pure function of the trial, the question and the engine's version, so it is
    stored; the second time it comes from the store (``cached``). Threads may share an analyzer.

    Each method except :meth:`trial` is one question that can be served as a tool: it takes names and numbers, and
    returns an :class:`Analysis` with a text for a model and the costs (tokens, host and guest seconds). Invalid
    arguments raise a ``BadInput`` of one or two lines that says what to do. :meth:`files` and :meth:`file` boot
    nothing; :meth:`summary` and :meth:`changes` share one traced run; :meth:`profile` and :meth:`probe` need at least
    one run each; :meth:`feedback` needs the runs that are not measured yet.

    Example:
        >>> analyzer = Analyzer(Lab())
        >>> print(analyzer.summary("schbench").text)
    """

    def __init__(
        self,
        lab: Lab,
        machine: MachineSpec = MachineSpec(),  # noqa: B008  a frozen value
        scale: Scale = Scale.SMOKE,
        seed: int = 0,
    ) -> None:
        """Create an analyzer. Nothing is booted yet.

        Args:
            lab: Runs the trials. If its cache is off, stored answers are not used either.
            machine: The machine of all runs.
            scale: The length of the runs.
            seed: The workloads' seed.
        """
        self.lab = lab
        self.machine = machine
        self.scale = scale
        self.seed = seed

    def trial(self, workload: str | Workload, policy: str | Policy = EEVDF) -> Trial:
        """Return the trial that is analysed.

        Args:
            workload: The workload, or its name.
            policy: The policy, its name, or the path of its source.

        Raises:
            BadInput: The workload or policy does not exist.
        """
        if isinstance(policy, str):
            policy = catalogue.load_policy(policy, {})
        return Trial(policy, _load(workload), self.machine, self.scale, self.seed)

    def summary(self, workload: str | Workload, policy: str | Policy = EEVDF) -> Analysis:
        """Tier 1: describe what the workload does, from one traced run, in under 400 tokens.

        The answer has CPU time by kind of task and by CPU, run-queue lengths, switches, migrations, memory, and which
        tasks start and wake which.

        Args:
            workload: The workload, or its name.
            policy: The policy of the run: a policy, its name, or the path of its source.

        Raises:
            BadInput: The workload or policy does not exist, or the policy does not compile.
            SchedcpError: The run failed.
        """
        return self._ask(summarise, self.trial(workload, policy))

    def changes(self, workload: str | Workload, policy: str | Policy = EEVDF) -> Analysis:
        """Tier 1: find where the workload changes during its run, and whether to analyse it again (``analyse_anew``).

        It uses the summary's traced run, at no further cost. The thresholds are in ``changes.yaml``.

        Args:
            workload: The workload, or its name.
            policy: The policy of the run.

        Raises:
            BadInput: The workload or policy does not exist, or the policy does not compile.
            SchedcpError: The run failed.
        """
        return parts.divide(self.summary(workload, policy))

    def profile(self, workload: str | Workload, names: Sequence[str] = (), policy: str | Policy = EEVDF) -> Analysis:
        """Tier 2: measure histograms by process name (microseconds, powers of two), or tables of a tool such as perf.

        Args:
            workload: The workload, or its name.
            names: Names of profiles from ``schedcp-gym list profiles``; empty: the default ones.
            policy: The policy of the run.

        Raises:
            BadInput: The workload, policy or a profile does not exist, or the policy does not compile.
            SchedcpError: The run failed, or the probes could not be loaded.
        """
        choose(tuple(names))  # before anything is booted
        return self._ask(profiles.profile, self.trial(workload, policy), names=tuple(sorted(set(names))))

    def probe(self, workload: str | Workload, source: str, policy: str | Policy = EEVDF) -> Analysis:
        """Tier 2: run a BCC probe that the caller wrote. It runs inside the guest only, because it is not trusted.

        Args:
            workload: The workload, or its name.
            source: C for BCC, of at most 16384 characters; see :func:`~schedcp_gym.control.analysis.custom.probe`.
            policy: The policy of the run.

        Raises:
            BadInput: The workload or policy does not exist; or the probe does not compile, the kernel refuses it, it
                attaches to nothing, or it exceeds a limit of time, memory or tables.
            SchedcpError: The host failed.
        """
        custom.check(source)
        return self._ask(custom.probe, self.trial(workload, policy), source=source)

    def files(self, workload: str | Workload) -> Analysis:
        """Tier 2: list the workload's own files, with their sizes in bytes. It boots nothing.

        Raises:
            BadInput: The workload does not exist.
        """
        return _timed(files.list_files, _load(workload))

    def file(self, workload: str | Workload, path: str, first_line: int = 1) -> Analysis:
        """Tier 2: read one of the workload's text files, at most 4000 tokens of it. It boots nothing.

        Args:
            workload: The workload, or its name.
            path: A path from :meth:`files`.
            first_line: The first line to return, from 1. To read on, use the line after ``data["last_line"]``.

        Raises:
            BadInput: The workload does not exist, the path is not one of its text files, or there is no such line.
        """
        return _timed(files.read_file, _load(workload), path, first_line=first_line)

    def feedback(
        self,
        workload: str | Workload,
        policy: str | Policy,
        last: str | Policy | None = None,
        *,
        objective: str | Objective | None = None,
        traced: bool = True,
    ) -> Analysis:
        """Tier 3: describe what a policy changes against EEVDF and the last policy, or why it failed.

        Args:
            workload: The workload, or its name.
            policy: The policy.
            last: The policy tried before this one; None if there is none.
            objective: An objective, or the name of one that the workload declares; None: the workload's own.
            traced: Whether to trace the policy and EEVDF too, to see how long tasks waited.

        Raises:
            BadInput: The workload, a policy or the objective does not exist.
            SchedcpError: EEVDF could not be measured, or the host failed.
        """
        before = None if last is None else self.trial(workload, last).policy
        summary = (lambda trial: self._ask(summarise, trial)) if traced else None
        trial = self.trial(workload, policy)
        return _timed(measure_feedback, self.lab, trial, before, objective=objective, summary=summary)

    def _ask(self, look: Look, trial: Trial, **options: Any) -> Analysis:
        """Return the stored answer, or analyse the trial and store the answer."""
        if trial.machine.clock is not Clock.VIRTUAL:
            return _timed(look, self.lab, trial, **options)
        key = self._key(look, trial, options)
        if self.lab.cache and not self.lab.cold and (stored := cache.ANALYSES.read(key)):
            return stored
        answer = _timed(look, self.lab, trial, **options)
        cache.ANALYSES.write(key, answer)
        return answer

    def _key(self, look: Look, trial: Trial, options: dict[str, Any]) -> str:
        """Return the digest of everything that the answer depends on."""
        name = f"{look.__module__}.{look.__qualname__}"
        try:
            return digest(
                {
                    "engine": cache.engine_version(),
                    "look": name,
                    "options": options,
                    "repeat": self.lab.digests(trial),
                    # The text names the workload and the policy; the trial's digest does not have all of that.
                    "workload": trial.workload,
                    "policy": trial.policy.name,
                }
            )
        except (TypeError, ValueError) as error:
            raise BadInput(f"{name}: options must be plain values: {error}") from None


def _load(workload: str | Workload) -> Workload:
    return catalogue.load_workload(workload) if isinstance(workload, str) else workload


def _timed(look: Look, *arguments: Any, **options: Any) -> Analysis:
    """Return an answer together with the host seconds that it took."""
    began = time.monotonic()
    answer = look(*arguments, **options)
    return dataclasses.replace(answer, host_s=round(time.monotonic() - began, 3))
