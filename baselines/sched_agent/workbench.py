"""The control plane's tools as the roles get them: with limits, and with a record of the facts."""

import json
from collections.abc import Callable, Collection, Mapping, Sequence
from typing import Any

from schedcp_gym.baselines.sched_agent.facts import Facts
from schedcp_gym.baselines.toolbox import Toolbox
from schedcp_gym.llm import Tool, ToolCall, ToolResult
from schedcp_gym.llm.tool_loop import plain_arguments

MEASURE, SUBMIT, DEPLOY = "measure_policy", "submit_policy", "deploy_policy"


class Workbench:
    """Makes the roles' tool calls. A call that is not allowed gets an error that says what to do instead."""

    def __init__(
        self, toolbox: Toolbox, facts: Facts, evaluations_left: Callable[[], float], verifications: int, reports: bool
    ) -> None:
        """Store the parts.

        Args:
            toolbox: Makes the calls.
            facts: Records measurements, verifications and deployments.
            evaluations_left: Returns the evaluations that are left in the budget.
            verifications: Limit of policies that go through all stages of the verifier in this run.
            reports: Whether to show the verifier's reports, or only whether a policy passed.
        """
        self._toolbox = toolbox
        self._facts = facts
        self._evaluations_left = evaluations_left
        self._reports = reports
        self._measured_before: dict[str, ToolResult] = {}
        self._round_left = 0
        self.verifications_left = verifications

    def begin_round(self, evaluations: int) -> None:
        """Allow a number of evaluations until the next round begins."""
        self._round_left = evaluations

    def offered(self, names: Collection[str]) -> list[Tool]:
        """Return those of the named tools that exist."""
        known = {tool.name: tool for tool in self._toolbox.tools()}
        return [known[name] for name in names if name in known]

    def prepare(self, calls: Sequence[ToolCall]) -> None:
        """Measure in parallel what a model asks for in one answer."""
        wanted = [
            call
            for call in calls
            if call.name == MEASURE and self._key(plain_arguments(call)) not in self._measured_before
        ]
        allowed = int(min(self._round_left, self._evaluations_left(), len(wanted)))
        if allowed > 1:
            self._toolbox.prepare(wanted[:allowed])

    def execute(self, call: ToolCall) -> ToolResult:
        """Make a model's call."""
        return self.call(call.name, plain_arguments(call))

    def call(self, name: str, arguments: Mapping[str, Any]) -> ToolResult:
        """Make a call.

        Raises:
            BudgetSpent: The run's virtual seconds are spent.
            SchedcpError: The host failed.
        """
        if name == MEASURE:
            return self._measure(arguments)
        if name == SUBMIT:
            return self._submit(arguments)
        result = self._toolbox.call(name, arguments)
        if name == DEPLOY and not result.is_error:
            what = str(arguments.get("policy") or ""), arguments.get("tunables") or {}
            if result.data.get("state") == "kept":
                self._facts.deploy(*what)
            else:
                self._facts.reverted(*what, str(result.data.get("why") or result.data.get("state")))
        return result

    def _measure(self, arguments: Mapping[str, Any]) -> ToolResult:
        key = self._key(arguments)
        if key in self._measured_before:
            known = self._measured_before[key]
            return ToolResult(known.data, f"measured before, not measured again: {known.text}")
        if self._evaluations_left() <= 0:
            return _refused("the budget's evaluations are spent: deploy the best of what was measured, and report")
        if self._round_left <= 0:
            return _refused("this round's evaluations are spent: deploy the best, and report")
        result = self._toolbox.call(MEASURE, arguments)
        if result.is_error:
            return result
        self._round_left -= 1
        self._measured_before[key] = result
        policy, asked = str(arguments.get("policy") or result.data["policy"]), arguments.get("tunables") or {}
        one = self._facts.measured(policy, asked, result.data)
        if not self._reports and one.outcome != "ok":
            return ToolResult(result.data, f"outcome: {one.outcome}")
        return result

    def _submit(self, arguments: Mapping[str, Any]) -> ToolResult:
        if arguments.get("stages") != "full":
            return self._shown(self._toolbox.call(SUBMIT, arguments))
        policy, tunables = str(arguments.get("policy") or ""), arguments.get("tunables") or {}
        one = self._facts.find(policy, tunables)
        if one is None:
            return _refused(
                "stages=full is for measured policies: call measure_policy first, with the same policy and tunables"
            )
        if one.outcome != "ok" or one.improvement <= 1:
            return _refused(f"{policy} is no better than EEVDF ({one.improvement:g} times): there is nothing to deploy")
        if self.verifications_left <= 0:
            return _refused("no full verification is left in this run: report your results")
        self.verifications_left -= 1
        result = self._toolbox.call(SUBMIT, arguments)
        if not result.is_error:
            passed = bool(result.data.get("passed"))
            self._facts.verified(policy, one.tunables, passed, _finding(result.data))
        return self._shown(result)

    def _shown(self, result: ToolResult) -> ToolResult:
        if self._reports or result.is_error or "passed" not in result.data:
            return result
        said = {name: result.data[name] for name in ("passed", "policy", "token") if result.data.get(name)}
        return ToolResult(result.data, json.dumps({"passed": False, **said}))

    def _key(self, arguments: Mapping[str, Any]) -> str:
        named = {name: arguments.get(name) for name in ("policy", "source")}
        return json.dumps([named, arguments.get("tunables") or {}], sort_keys=True)


def _refused(text: str) -> ToolResult:
    return ToolResult(text=text, is_error=True)


def _finding(data: Mapping[str, Any]) -> str:
    stages = data.get("stages") or []
    return next((f"{stage['stage']}: {stage['summary']}" for stage in stages if not stage["passed"]), "")
