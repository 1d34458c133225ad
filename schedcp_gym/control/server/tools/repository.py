"""Tools that search the policy repository, read it and add to it."""

import re
from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field, TypeAdapter, ValidationError

from schedcp_gym.control.repository import Antipattern, How, Kind, Parent, PolicyRecord, Primitive
from schedcp_gym.control.repository.card import read_card
from schedcp_gym.control.repository.classes import check_class
from schedcp_gym.control.repository.entry import facets_of
from schedcp_gym.control.repository.records import Name
from schedcp_gym.control.server import formatting
from schedcp_gym.control.server.arguments import (
    NO_TUNABLES,
    NO_WORDS,
    TEXT_CHARS,
    Classes,
    FirstLine,
    PolicyArgument,
    SourceArgument,
    TunablesArgument,
    Word,
)
from schedcp_gym.control.server.call import Call
from schedcp_gym.control.server.policies import DRAFT, compile_fault
from schedcp_gym.control.server.results import HitData
from schedcp_gym.control.server.tool import tool
from schedcp_gym.control.server.values import Page, page
from schedcp_gym.lab import catalogue
from schedcp_gym.lab.compiler import CompileError, compile_policy
from schedcp_gym.llm import ToolResult
from schedcp_gym.spec import EEVDF, BadInput, Outcome

#: Tokens of a source's page: alone, and below the card.
PAGE_ALONE, PAGE_BELOW = 3500, 2200
#: Policies in a page of the list.
LIST_PAGE = 100


class ParentArgument(BaseModel):
    """A policy or primitive that another policy was made from."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    name: Annotated[str, Field(description="The policy, or the primitive, it was made from.", max_length=80)]
    how: Annotated[How, Field(description="patched: code changed; composed: code or primitive taken in.")] = How.PATCHED
    note: Annotated[str, Field(description="Why, in a line.", max_length=500)] = ""


@tool()
def search_repository(
    call: Call,
    query: Annotated[
        str,
        Field(
            description="What you look for, in plain words.",
            min_length=1,
            max_length=2000,
            examples=["keep one long job from finishing last"],
        ),
    ],
    kind: Annotated[
        Literal["policy", "primitive", "antipattern"],
        Field(description="policy: whole schedulers; primitive: parts to compose; antipattern: what failed, and why."),
    ] = "policy",
    workload_class: Annotated[
        Word | None, Field(description="Only for this class: batch, latency, throughput, mixed.", examples=["latency"])
    ] = None,
    outcome: Annotated[
        Word | None, Field(description=f"Only with a result that ended so: {', '.join(Outcome)}.", examples=["ok"])
    ] = None,
    limit: Annotated[int, Field(description="Most answers.", ge=1, le=20)] = 5,
) -> ToolResult:
    """Search the policy repository in natural language; the best fit first, with its best result."""
    repository = call.plane.repository
    hits = repository.search(query, kinds=(Kind(kind),), workload_class=workload_class, outcome=outcome, limit=limit)
    rows: list[HitData] = []
    lines: list[str] = []
    for hit in hits:
        best = next(iter(repository.standings(hit.record.id)), None) if isinstance(hit.record, PolicyRecord) else None
        measured = [f"  best measured: {formatting.standing_text(best)}"] if best else []
        lines += [f"{hit.score:.2f} {formatting.hit_text(hit.record)}", *measured]
        row: HitData = {
            "kind": kind,
            "name": hit.record.name,
            "id": hit.record.id,
            "score": round(hit.score, 4),
            "title": _title(hit.record),
            "best": formatting.standing_data(best) if best else None,
        }
        rows.append({**row, **_lesson_data(hit.record)} if isinstance(hit.record, Antipattern) else row)  # type: ignore[typeddict-item]
    return ToolResult({"hits": rows}, "\n".join(lines) or "nothing fits; fewer filters may help")


@tool()
def list_policies(
    call: Call, first: Annotated[int, Field(description="Number to begin at, from 1: to read on.", ge=1, le=10**6)] = 1
) -> ToolResult:
    """List all policies of the repository, a line each: name, status, classes of workloads, title. 100 to a page."""
    records = call.plane.repository.policies()
    shown = records[first - 1 : first - 1 + LIST_PAGE]
    if not shown and first > 1:
        raise BadInput(f"there are {len(records)} policies: first must be 1 to {max(1, len(records))}")
    rows = [
        {
            "name": each.name,
            "id": each.id,
            "status": each.status.value,
            "classes": sorted({facet.split("|")[0] for facet in facets_of(each)} - {"*"}),
            "title": read_card(each.card).title,
            "tunables": [tunable.name for tunable in catalogue.tunables_of(each.source)],
        }
        for each in shown
    ]
    lines = [f"{row['name']} ({row['status']}; {', '.join(row['classes']) or 'any'}): {row['title']}" for row in rows]
    following = first + len(shown) if first - 1 + len(shown) < len(records) else None
    if following:
        lines.append(f"({len(records) - following + 1} more: first={following})")
    return ToolResult({"policies": rows, "total": len(records), "next": following}, "\n".join(lines))


@tool()
def get_policy(
    call: Call,
    policy: Annotated[
        Word, Field(description="Name or id of a policy of the repository, or a draft's id.", examples=["ljf"])
    ],
    first_line: FirstLine = 1,
) -> ToolResult:
    """Read a policy: card, tunables with ranges, results, lineage, lessons, and its source, page by page.

    With first_line above 1, only the source is returned, from that line on.
    """
    plane = call.plane
    found = plane.resolve(policy)
    if found.is_eevdf:
        raise BadInput("eevdf is the kernel's own scheduler: it has no source; list_policies has those that do")
    known = plane.policies.known(found) if policy == found.name and policy.startswith(DRAFT) else None
    record = known or (None if policy.startswith(DRAFT) else plane.policies.record(policy))
    shown = page(found.source, first_line, PAGE_ALONE if first_line > 1 else PAGE_BELOW, name=found.name)
    tunables = [formatting.tunable_data(each) for each in catalogue.tunables_of(found.source)]
    data: dict[str, Any] = {"policy": found.name, "tunables": tunables, "source": shown.data()}
    head: list[str] = []
    if record is not None:
        standings = plane.repository.standings(record.id)
        lessons = plane.repository.antipatterns(record.name)
        data |= {
            "id": record.id,
            "status": record.status.value,
            "card": record.card,
            "values": record.values,
            "parents": record.parents,
            "standings": [formatting.standing_data(each) for each in standings[: formatting.STANDINGS]],
            "lessons": [_lesson_data(each) for each in lessons],
        }
        head = [formatting.policy_text(plane.repository, record, standings)]
    elif tunables:
        head = ["\n".join(formatting.tunable_text(each) for each in catalogue.tunables_of(found.source))]
    lines = [*(head if first_line == 1 else []), *_page_lines(shown, "source")]
    return ToolResult(data, "\n".join(lines))


@tool()
def get_primitive(
    call: Call,
    name: Annotated[
        Word,
        Field(
            description="A primitive's name; search_repository with kind=primitive finds them.", examples=["wake-graph"]
        ),
    ],
    first_line: FirstLine = 1,
) -> ToolResult:
    """Read a primitive, a part to compose policies of: card, needs (headers, tunables, maps), usage, code."""
    known = {each.name: each for each in call.plane.repository.primitives()}
    if name not in known:
        raise catalogue.unknown("primitive", name, known)
    found = known[name]
    shown = page(found.code, first_line, PAGE_ALONE if first_line > 1 else PAGE_BELOW, name=name)
    parts = {
        "headers": [f"#include <{header}>" for header in found.headers],
        "tunables": list(found.tunables),
        "maps": list(found.maps),
        "used_by": list(found.used_by),
    }
    data = {"name": name, "title": found.title, "card": found.card, **parts, "usage": found.usage, "code": shown.data()}
    head = [f"{name}: {found.title}", found.card]
    head += [f"{part}:\n" + "\n".join(lines) for part, lines in parts.items() if lines]
    head += [f"usage:\n{found.usage}"] if found.usage else []
    code = _page_lines(shown, "code") if found.code else ["It is all in its headers."]
    return ToolResult(data, "\n".join([*(head if first_line == 1 else []), *code]))


@tool(changes=True)
def add_policy(
    call: Call,
    name: Annotated[
        str,
        Field(
            description="Its name in the repository: letters, digits and any of _.@+-",
            max_length=80,
            examples=["ljf-2"],
        ),
    ],
    policy: PolicyArgument = None,
    source: SourceArgument = None,
    tunables: TunablesArgument = NO_TUNABLES,
    parents: Annotated[
        list[ParentArgument],
        Field(description="What it was made from.", max_length=10, examples=[[{"name": "ljf", "how": "patched"}]]),
    ] = [],  # noqa: B006  pydantic copies it
    description: Annotated[
        str,
        Field(
            description="Its card: what it does, `Good for: …`, `Bad for: …`; its source's header comment if empty.",
            max_length=TEXT_CHARS,
        ),
    ] = "",
    workloads: Annotated[
        list[Word], Field(description="Workloads it is meant for.", max_length=32, examples=[["schbench"]])
    ] = NO_WORDS,
    workload_classes: Classes = NO_WORDS,
) -> ToolResult:
    """Add a policy to the repository, as a candidate: a draft, a source, or a known policy with other tunables.

    It must compile. Its results in this session are recorded with it. It is promoted when results on several seeds
    prove that it is better than EEVDF.
    """
    plane = call.plane
    chosen = plane.resolve(policy, source, tunables)
    if chosen.is_eevdf:
        raise BadInput("eevdf is the kernel's own scheduler: it can't be added")
    try:
        TypeAdapter(Name).validate_python(name)
    except ValidationError:
        raise BadInput(f"a name has letters, digits and any of _.@+-, not {name[:80]!r}") from None
    if name == EEVDF or name.startswith(DRAFT):
        raise BadInput(f"{name} is a reserved name: give another name")
    call.step("compiling it")
    try:
        compile_policy(chosen.source, plane.lab.image(plane.machine.kernel))
    except CompileError as error:
        raise compile_fault(error) from None
    record = PolicyRecord(
        name=name,
        source=chosen.source,
        values=dict(chosen.tunables),
        card=description.strip() or catalogue.card_of(chosen.source),
        workloads=tuple(workloads),
        classes=tuple(workload_classes),
        author=plane.author,
        parents=tuple(Parent(each.name, each.how, each.note) for each in parents),
    )
    kept = plane.add(record)
    known = "" if kept.name == name else f" (the same policy was there already, as {kept.name})"
    data = {"policy": kept.name, "id": kept.id, "status": kept.status.value, "new": kept.name == name}
    return ToolResult(data, f"{kept.name} · {kept.id} · {kept.status.value}{known}")


@tool(changes=True)
def record_learning(
    call: Call,
    title: Annotated[
        str,
        Field(description="A few words.", min_length=1, max_length=120, examples=["short slices starve the server"]),
    ],
    text: Annotated[
        str,
        Field(
            description="What was tried, the result (figures with units), the reason, and what to do instead.",
            min_length=1,
            max_length=TEXT_CHARS,
        ),
    ],
    worked: Annotated[bool, Field(description="Whether it worked: false makes it an antipattern, found by a search.")],
    policy: Annotated[
        Word | None, Field(description="The policy of the repository that showed it.", examples=["ljf"])
    ] = None,
    workload_classes: Classes = NO_WORDS,
) -> ToolResult:
    """Keep a lesson for later runs: what did not work (an antipattern), or, on a policy's card, what did."""
    plane = call.plane
    for each in workload_classes:
        check_class(each)
    if worked:
        if policy is None:
            raise BadInput("what worked is kept on a policy's card: name the policy (add_policy adds a new one)")
        classes = f" ({', '.join(workload_classes)})" if workload_classes else ""
        record = plane.repository.note(plane.policies.record(policy).name, f"Learnt{classes}: {title}: {text}")
        return ToolResult(
            {"kind": "note", "policy": record.name, "id": record.id}, f"noted on the card of {record.name}"
        )
    words = re.findall(r"[a-z0-9]+", title.lower())
    lesson = Antipattern(
        name="-".join(words)[:80].strip("-") or "lesson",
        failed_because=f"{title}: {text}",
        policy=plane.policies.record(policy).name if policy else "",
        classes=tuple(workload_classes),
        author=plane.author,
    )
    kept = plane.repository.learn(lesson)
    return ToolResult({"kind": "antipattern", **_lesson_data(kept)}, f"kept as antipattern {kept.name} · {kept.id}")


def _page_lines(shown: Page, what: str) -> list[str]:
    head = f"{what}, lines {shown.first_line} to {shown.last_line} of {shown.lines}:"
    more = [f"(more: first_line={shown.next_line})"] if shown.next_line else []
    return [head, shown.text, *more]


def _title(record: PolicyRecord | Antipattern | Primitive) -> str:
    if isinstance(record, PolicyRecord):
        return read_card(record.card).title
    return record.title if isinstance(record, Primitive) else record.failed_because


def _lesson_data(lesson: Antipattern) -> dict[str, Any]:
    return {
        "name": lesson.name,
        "id": lesson.id,
        "failed_because": lesson.failed_because,
        "instead": lesson.instead,
        "policy": lesson.policy,
    }
