"""Arguments that several tools share: types with descriptions, units and examples for the schemas."""

from typing import Annotated

from pydantic import Field, StringConstraints

from schedcp_gym.spec.policy import Value

#: Limits of characters: of a policy's source, of a probe's source, and of a lesson.
SOURCE_CHARS, PROBE_CHARS, TEXT_CHARS = 262_144, 16_384, 8_000
#: Limits of one call: tunables to set, and edits of a source.
TUNABLES, EDITS = 64, 50

Word = Annotated[str, StringConstraints(min_length=1, max_length=80)]

WorkloadArgument = Annotated[
    Word, Field(description="A workload's name; list_workloads returns them.", examples=["schbench"])
]
PolicyArgument = Annotated[
    Word | None,
    Field(
        description="Name or id of a policy of the repository, a draft's id (from submit_policy), or eevdf, the "
        "kernel's own scheduler. Give this or `source`. A path is not allowed.",
        examples=["ljf", "draft-3f9a1c0b7d2e"],
    ),
]
SourceArgument = Annotated[
    str | None,
    Field(
        description="BPF C source of a sched_ext policy, instead of `policy`. It becomes a draft; later calls can use "
        "the draft's id.",
        max_length=SOURCE_CHARS,
        examples=["#include <scx/common.bpf.h>\n…"],
    ),
]
TunablesArgument = Annotated[
    dict[Annotated[str, StringConstraints(max_length=80)], Value],
    Field(
        description="Values for the policy's tunables by name, in the tunable's unit (the name ends in it; "
        "get_policy shows it); others keep their defaults.",
        max_length=TUNABLES,
        examples=[{"slice_us": 500}],
    ),
]
SchedulerArgument = Annotated[
    Word | None,
    Field(
        description="The scheduler during the run: a policy's name, id or draft; null: eevdf, the kernel's own.",
        examples=["vtime"],
    ),
]
FirstLine = Annotated[
    int,
    Field(description="Line to begin at, from 1; next_line of a page is the line after it.", ge=1, le=1_000_000),
]
Classes = Annotated[
    list[Word],
    Field(description="Classes of workloads: batch, latency, throughput, mixed.", max_length=8, examples=[["batch"]]),
]
#: Default values; pydantic copies them.
NO_TUNABLES: dict[str, Value] = {}
NO_WORDS: list[str] = []
