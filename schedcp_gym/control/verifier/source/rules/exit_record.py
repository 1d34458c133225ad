"""ops.exit has to keep the kernel's reason (UEI_DEFINE, UEI_RECORD), or the reason of an ejection is lost."""

from collections.abc import Iterator

from schedcp_gym.control.verifier.report import Severity
from schedcp_gym.control.verifier.source.flow import Flow
from schedcp_gym.control.verifier.source.rule import Hit, Rule


def _check(flow: Flow) -> Iterator[Hit]:
    if not flow.program.tables:
        return
    kept = any(variable.type == "struct user_exit_info" for variable in flow.program.variables.values())
    if "exit" not in flow.program.callbacks:
        yield Hit(flow.program.tables[0].line, "there is no ops.exit")
    elif not kept or not any(call.name == "bpf_probe_read_kernel_str" for call in flow.calls["exit"]):
        yield Hit(flow.program.callbacks["exit"].line, "ops.exit does not record the kernel's reason")


RULE = Rule(
    id="exit-not-recorded",
    why="when the kernel ejects the policy, its reason is lost",
    fix="UEI_DEFINE(uei); and UEI_RECORD(uei, ei); in ops.exit.",
    check=_check,
    severity=Severity.WARNING,
)
