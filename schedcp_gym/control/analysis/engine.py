"""The engine: questions about a workload in, answers out, each one worked out only once."""

import dataclasses
import time
from collections.abc import Callable, Sequence
from typing import Any

from schedcp_gym.control.analysis import cache, custom, deployed, files, parts, profiles
from schedcp_gym.control.analysis.program import choose
from schedcp_gym.control.analysis.report import Analysis
from schedcp_gym.control.analysis.summary import summarise
from schedcp_gym.lab import Lab, catalogue
from schedcp_gym.spec import EEVDF, BadInput, Clock, MachineSpec, Objective, Policy, Scale, Trial, Workload
from schedcp_gym.spec.digest import digest

#: A way to look at a trial: ``(lab, trial, **options) -> Analysis``; options are keywords that JSON has words for.
Look = Callable[..., Analysis]


class Analyzer:
    """Analyses of workloads on one machine, at one scale, under one seed.

    On the virtual clock an answer is a pure function of trial, question and engine, so it is kept: the second time it
    comes from the store (``cached``). Safe to share between threads.

    Each method but :meth:`trial` and :meth:`ask` is one question, made to be served as a tool: names and numbers in,
    an :class:`Analysis` out with its text for a model and its cost (tokens, host and guest seconds); a wrong argument
    is a ``BadInput`` of a line or two that names the remedy. Cheap ones first: :meth:`files` and :meth:`file` boot
    nothing, :meth:`summary` and :meth:`changes` share one traced run, :meth:`profile` and :meth:`probe` take a run or
    more each, :meth:`feedback` those of the policies that are not measured yet.
    """

    def __init__(
        self,
        lab: Lab,
        machine: MachineSpec = MachineSpec(),  # noqa: B008  a frozen value
        scale: Scale = Scale.SMOKE,
        seed: int = 0,
    ) -> None:
        """Prepares an analyzer; nothing is booted yet.

        Args:
            lab: Where trials are run; without its cache nothing stored is used here either.
            machine: The machine looked at.
            scale: How long the workloads run.
            seed: Their seed.
        """
        self.lab = lab
        self.machine = machine
        self.scale = scale
        self.seed = seed

    def trial(self, workload: str | Workload, policy: str | Policy = EEVDF) -> Trial:
        """What is looked at.

        Args:
            workload: The workload, or its name.
            policy: What schedules it: a policy, its name or the path of its source.

        Raises:
            BadInput: There is no such workload or policy.
        """
        if isinstance(policy, str):
            policy = catalogue.load_policy(policy, {})
        return Trial(policy, _load(workload), self.machine, self.scale, self.seed)

    def summary(self, workload: str | Workload, policy: str | Policy = EEVDF) -> Analysis:
        """Tier 1: what the workload does, from one traced run, in under 400 tokens.

        CPU time by kind of task and by CPU, run-queue length, switches, migrations, memory, who starts and wakes whom.

        Args:
            workload: The workload, or its name.
            policy: What schedules it: a policy, its name or the path of its source.

        Raises:
            BadInput: There is no such workload or policy, or the policy does not compile.
            SchedcpError: The run did not end well.
        """
        return self.ask(summarise, workload, policy)

    def changes(self, workload: str | Workload, policy: str | Policy = EEVDF) -> Analysis:
        """Tier 1: where in its run the workload changes, and whether that calls for a new analysis (``analyse_anew``).

        From the summary's traced run, at no further cost. Thresholds are in ``changes.yaml``.

        Args:
            workload: The workload, or its name.
            policy: What schedules it.

        Raises:
            BadInput: There is no such workload or policy, or the policy does not compile.
            SchedcpError: The run did not end well.
        """
        return parts.divide(self.summary(workload, policy))

    def profile(self, workload: str | Workload, names: Sequence[str] = (), policy: str | Policy = EEVDF) -> Analysis:
        """Tier 2: histograms by process name (us, powers of two), or a tool's table, each from a run under probes.

        Args:
            workload: The workload, or its name.
            names: Which profiles, of those that ``schedcp-gym list profiles`` shows; the default set for none.
            policy: What schedules it.

        Raises:
            BadInput: There is no such workload, policy or profile, or the policy does not compile.
            SchedcpError: The run did not end well, or the probes could not be loaded.
        """
        choose(tuple(names))  # before anything is booted
        return self.ask(profiles.profile, workload, policy, names=tuple(sorted(set(names))))

    def probe(self, workload: str | Workload, source: str, policy: str | Policy = EEVDF) -> Analysis:
        """Tier 2: what a BCC probe of one's own counts and prints; it is not trusted, and runs in the guest only.

        Args:
            workload: The workload, or its name.
            source: C for BCC, of at most 16384 characters; see :func:`~schedcp_gym.control.analysis.custom.probe`.
            policy: What schedules it.

        Raises:
            BadInput: There is no such workload or policy, or the probe does not compile, is refused by the kernel,
                attaches to nothing, or exceeds a limit of time, memory or tables.
            SchedcpError: The host failed.
        """
        custom.check(source)
        return self.ask(custom.probe, workload, policy, source=source)

    def files(self, workload: str | Workload) -> Analysis:
        """Tier 2: the workload's own files, with their bytes. Boots nothing.

        Raises:
            BadInput: There is no such workload.
        """
        return files.list_files(_load(workload))

    def file(self, workload: str | Workload, path: str, first_line: int = 1) -> Analysis:
        """Tier 2: one of the workload's files as text, at most 4000 tokens of it. Boots nothing.

        Args:
            workload: The workload, or its name.
            path: As :meth:`files` names it.
            first_line: Where to begin, from 1: to read on where an answer was cut.

        Raises:
            BadInput: There is no such workload, the path is none of its files, no text, or has no such line.
        """
        return files.read_file(_load(workload), path, first_line=first_line)

    def feedback(
        self,
        workload: str | Workload,
        policy: str | Policy,
        last: str | Policy | None = None,
        *,
        objective: str | Objective | None = None,
        traced: bool = True,
    ) -> Analysis:
        """Tier 3: what a policy changes against EEVDF and the last policy, by metric and class of tasks; why it failed.

        Args:
            workload: The workload, or its name.
            policy: The policy.
            last: The policy before it; None if it is the first.
            objective: One, or the name of one that the workload declares; None: its own.
            traced: Whether the policy and EEVDF are traced too (unless that is known already), for who waited.

        Raises:
            BadInput: There is no such workload, policy or objective.
            SchedcpError: EEVDF could not be measured, or the host failed.
        """
        return deployed.feedback(self, workload, policy, last, objective=objective, traced=traced)

    def ask(self, look: Look, workload: str | Workload, policy: str | Policy = EEVDF, **options: Any) -> Analysis:
        """Any tier: looks at a trial in the given way, or recalls what was seen before.

        Args:
            look: A function of this package, named in its module.
            workload: The workload, or its name.
            policy: What schedules it.
            options: For the look; part of the question.

        Raises:
            BadInput: There is no such workload or policy, or an option can't be used.
            SchedcpError: The run did not end well.
        """
        trial = self.trial(workload, policy)
        exact = trial.machine.clock is Clock.VIRTUAL
        key = self._key(look, trial, options) if exact else ""
        if exact and self.lab.cache and not self.lab.cold and (stored := cache.ANALYSES.read(key)):
            return stored
        began = time.monotonic()
        found = look(self.lab, trial, **options)
        answer = dataclasses.replace(found, host_s=round(time.monotonic() - began, 3))
        if exact:
            cache.ANALYSES.write(key, answer)
        return answer

    def _key(self, look: Look, trial: Trial, options: dict[str, Any]) -> str:
        name = f"{look.__module__}.{look.__qualname__}"
        try:
            return digest(
                {
                    "engine": cache.engine_version(),
                    "look": name,
                    "options": options,
                    "repeat": self.lab.digests(trial),
                    # What a text says of the workload, beside what the trial's digest holds.
                    "workload": trial.workload,
                    "policy": trial.policy.name,
                }
            )
        except (TypeError, ValueError) as error:
            raise BadInput(f"{name}: options must be plain values: {error}") from None


def _load(workload: str | Workload) -> Workload:
    return catalogue.load_workload(workload) if isinstance(workload, str) else workload
