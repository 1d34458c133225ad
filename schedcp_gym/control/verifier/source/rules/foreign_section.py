"""A policy consists of callbacks (struct_ops), their helpers, globals and maps; programs for other hooks are refused.

Programs for other hooks would run with the kernel's rights beside the scheduler: tracing ones are a warning, since
schedulers in the wild use them to watch locks and wake-ups; any other is refused, and so are sections that mean
nothing to the kernel.
"""

from collections.abc import Iterator

from schedcp_gym.control.verifier.report import Severity
from schedcp_gym.control.verifier.source.flow import Flow
from schedcp_gym.control.verifier.source.rule import Hit, Rule

_CODE = (".text", "struct_ops/", "struct_ops.s/", "?struct_ops", "syscall")
_TRACING = ("tp_btf/", "fentry/", "fexit/", "tracepoint/", "tp/", "raw_tp/")
_DATA = (
    *(".data", ".rodata", ".bss", ".maps", ".struct_ops", "?.struct_ops", "license", "version", ".addr_space"),
    *(".ksyms", ".kconfig", ".symtab", ".strtab", ".BTF"),
)


def _check(flow: Flow) -> Iterator[Hit]:
    for section in flow.program.sections:
        name = section.name[:60]
        if section.code and section.name.startswith(_TRACING):
            yield Hit(None, f"there is a tracing program ({name})", Severity.WARNING)
        elif section.code and section.size_bytes and not _is_callback(section.name):
            yield Hit(None, f"there is a program for another hook ({name})")
        elif section.loaded and not section.code and not section.name.startswith(_DATA):
            yield Hit(None, f"there is a section {name}")


def _is_callback(name: str) -> bool:
    return name.startswith(_CODE) or name == "struct_ops"


RULE = Rule(
    id="foreign-section",
    why="only a scheduler's callbacks and data belong into a policy",
    fix="Remove it; helpers need no SEC(), globals none but .data, .rodata and .bss.",
    check=_check,
)
