"""Tools that deploy a verified policy to a running workload, step by step, and take it back on a breach."""

import dataclasses
import functools
import time
from typing import Annotated, Any

from pydantic import Field

from schedcp_gym.control.server import formatting
from schedcp_gym.control.server.arguments import (
    NO_TUNABLES,
    PolicyArgument,
    SourceArgument,
    TunablesArgument,
    WorkloadArgument,
)
from schedcp_gym.control.server.call import Call
from schedcp_gym.control.server.deployments import Deployment
from schedcp_gym.control.server.results import DeploymentData
from schedcp_gym.control.server.rollout import rollout
from schedcp_gym.control.server.tool import tool
from schedcp_gym.control.verifier import canary
from schedcp_gym.control.verifier.canary import CanaryReport
from schedcp_gym.control.verifier.token import TOKEN_LIMIT
from schedcp_gym.lab import Lab
from schedcp_gym.lab.catalogue import find_objective
from schedcp_gym.llm import ToolResult
from schedcp_gym.spec import Policy

DeploymentArgument = Annotated[
    str,
    Field(description="A deployment's id, as deploy_policy gave it.", max_length=80, examples=["deployment-1"]),
]


@tool(boots=True, changes=True)
def deploy_policy(
    call: Call,
    workload: WorkloadArgument,
    token: Annotated[
        str | None,
        Field(
            description="The token that submit_policy with stages=full returned for this policy with these tunables; "
            "null: the one that this session got.",
            max_length=TOKEN_LIMIT,
            examples=["scp1.…"],
        ),
    ] = None,
    policy: PolicyArgument = None,
    source: SourceArgument = None,
    tunables: TunablesArgument = NO_TUNABLES,
) -> ToolResult:
    """Deploy a verified policy: to 10, 25, 50 % of the workload's tasks, then to all; back to EEVDF on a breach.

    Returns the deployment's id at once; deployment_status reports its state. Takes 15 to 40 host seconds.
    """
    plane = call.plane
    found, chosen = plane.workload(workload), plane.resolve(policy, source, tunables)
    given = token if token is not None else plane.token_of(chosen, call.session.id)
    call.step(f"the token for {chosen.name}")
    canary.admit(chosen, given, lab=call.lab, spec=plane.machine)
    deploy = functools.partial(_deploy, call, chosen, given, found)
    call.step(f"{chosen.name} on {workload}: 10, 25, 50, 100 % of the tasks")
    deployment = plane.deployments.start(
        call.session.id,
        workload,
        chosen,
        call.lab if plane.wait_for_deployments else plane.branch(),
        deploy,
        wait=plane.wait_for_deployments,
        guessable=call.session.own,
        ended=plane.note_deployed,
    )
    call.check()
    spent = deployment.report.wall_s if deployment.report else 0.0
    result = _result(deployment)
    return dataclasses.replace(result, data={**result.data, "guest_s": round(spent, 6)})


@tool()
def deployment_status(
    call: Call,
    deployment: DeploymentArgument,
    wait_s: Annotated[
        float, Field(description="Host seconds to wait for its end, if it is running.", ge=0, le=60)
    ] = 0.0,
) -> ToolResult:
    """Report a deployment of this session: running, kept, reverted, failed or stopped, with each phase's figures.

    A guest on the virtual clock sends nothing while it runs: the phases are reported at its end.
    """
    found = call.plane.deployments.get(call.session.id, deployment)
    until = time.monotonic() + wait_s
    while not found.over.wait(min(0.5, max(0.0, until - time.monotonic()))) and time.monotonic() < until:
        call.step(f"{deployment}: running")
    return _result(found)


@tool(changes=True)
def stop_deployment(call: Call, deployment: DeploymentArgument) -> ToolResult:
    """Stop a running deployment of this session: its virtual machine is stopped."""
    found = call.plane.deployments.get(call.session.id, deployment)
    if found.state != "running":
        return _result(found)
    found.lab.stop()
    call.step(f"{deployment}: stopping")
    found.over.wait(30.0)
    return _result(found)


def _deploy(call: Call, policy: Policy, token: str, workload: Any, lab: Lab) -> CanaryReport:
    plane = call.plane
    return canary.deploy(
        policy,
        token,
        workload,
        lab=lab,
        spec=plane.machine,
        config=rollout(workload, find_objective(workload, plane.objective), plane.deploy_scale),
        scale=plane.deploy_scale,
        seed=plane.seed,
    )


def _result(deployment: Deployment) -> ToolResult:
    report = deployment.report
    about: DeploymentData = {
        "deployment": deployment.id,
        "workload": deployment.workload,
        "policy": deployment.policy.name,
        "tunables": dict(deployment.policy.tunables),
        "state": deployment.state,
        "deployed": deployment.state == "kept",
        "why": deployment.message or (report.reason if report else ""),
    }
    data: dict[str, Any] = {**about}
    head = f"{deployment.id}: {deployment.policy.name} on {deployment.workload}: "
    if report is None:
        why = f": {deployment.message}" if deployment.message else ""
        return ToolResult(data, f"{head}{deployment.state}{why}")
    data |= {
        "in_charge": report.in_charge,
        "phases": report.phases,
        "breach": report.breach,
        "revert_ms": report.revert_ms,
        "tasks_lost": report.tasks_lost,
        "metrics": report.metrics,
        "deployed_guest_s": report.wall_s,
    }
    return ToolResult(data, head + formatting.deployment_text(report))
