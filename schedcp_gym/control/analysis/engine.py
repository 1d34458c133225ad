"""The engine: questions about a workload in, answers out, each one worked out only once."""

import dataclasses
import time
from collections.abc import Callable
from typing import Any

from schedcp_gym.control.analysis import cache
from schedcp_gym.control.analysis.report import Analysis
from schedcp_gym.control.analysis.summary import summarise
from schedcp_gym.lab import Lab, catalogue
from schedcp_gym.spec import EEVDF, BadInput, Clock, MachineSpec, Policy, Scale, Trial, Workload
from schedcp_gym.spec.digest import digest

#: A way to look at a trial: ``(lab, trial, **options) -> Analysis``; options are keywords that JSON has words for.
Look = Callable[..., Analysis]


class Analyzer:
    """Analyses of workloads on one machine, at one scale, under one seed.

    On the virtual clock an answer is a pure function of trial, question and engine, so it is kept: the second time it
    comes from the store (``cached``). Safe to share between threads.
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
        if isinstance(workload, str):
            workload = catalogue.load_workload(workload)
        if isinstance(policy, str):
            policy = catalogue.load_policy(policy, {})
        return Trial(policy, workload, self.machine, self.scale, self.seed)

    def summary(self, workload: str | Workload, policy: str | Policy = EEVDF) -> Analysis:
        """Tier 1: what the workload does, from one traced run.

        Raises:
            BadInput: There is no such workload or policy.
            SchedcpError: The run did not end well.
        """
        return self.ask(summarise, workload, policy)

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
        if exact and self.lab.cache and not self.lab.cold and (stored := cache.read(key)):
            return stored
        began = time.monotonic()
        found = look(self.lab, trial, **options)
        answer = dataclasses.replace(found, host_s=round(time.monotonic() - began, 3))
        if exact:
            cache.write(key, answer)
        return answer

    def _key(self, look: Look, trial: Trial, options: dict[str, Any]) -> str:
        machine = self.lab.machine(trial.machine)
        name = f"{look.__module__}.{look.__qualname__}"
        try:
            return digest(
                {
                    "engine": cache.engine_version(),
                    "look": name,
                    "options": options,
                    "trial": trial.digest,
                    # What a text says of the workload, beside what the trial's digest holds.
                    "workload": trial.workload,
                    "policy": trial.policy.name,
                    "image": machine.image.digest,
                    "machine": machine.digest,
                    "qemu": machine.qemu.text,
                }
            )
        except (TypeError, ValueError) as error:
            raise BadInput(f"{name}: options must be plain values: {error}") from None
