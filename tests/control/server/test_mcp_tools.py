"""Tools that boot nothing, and what a wrong call gets: through the SDK's client, in memory."""

import json

import pytest

from schedcp_gym.control.server import ControlPlane
from schedcp_gym.control.server.tools import all_tools
from schedcp_gym.control.server.values import page
from schedcp_gym.lab import Lab, catalogue
from schedcp_gym.spec import BadInput, Measurement, Objective, Outcome, Policy, Scale

from .conftest import text_of

TOOLS = {
    *("list_workloads", "describe_workload", "analyze_workload", "workload_changes", "profile_workload"),
    *("probe_workload", "list_workload_files", "read_workload_file", "search_repository", "list_policies"),
    *("get_policy", "get_primitive", "submit_policy", "deploy_policy", "deployment_status", "stop_deployment"),
    *("measure_policy", "get_feedback", "record_learning", "add_policy"),
}


def test_all_tools_are_there_and_every_argument_says_what_it_is(served):
    tools = served.do(lambda client: client.list_tools()).tools
    assert {tool.name for tool in tools} == TOOLS
    for tool in tools:
        assert len(tool.description) > 60
        assert tool.input_schema["additionalProperties"] is False
        for name, schema in tool.input_schema["properties"].items():
            assert len(schema.get("description", "")) > 10, (tool.name, name)
    assert len(json.dumps([tool.model_dump(mode="json", exclude_none=True) for tool in tools])) < 30_000


def test_no_tool_takes_what_belongs_to_the_plane():
    for tool in all_tools().values():
        assert not {"seed", "scale", "machine", "cpus", "kernel"} & set(tool.schema["properties"])


@pytest.mark.parametrize("mode", ["auto", "legacy"])
def test_workloads_are_listed_and_described(served, mode):
    listed = served.call("list_workloads", mode)
    assert [row["workload"] for row in listed.structured_content["workloads"]] == catalogue.workload_names()
    described = served.call("describe_workload", mode, workload="redis")
    data = described.structured_content
    assert data["objective"]["weights"] == {"p99_request_us": 1.0}
    assert data["metrics"]["p99_request_us"] == {
        "unit": "us",
        "direction": "minimize",
        "description": data["metrics"]["p99_request_us"]["description"],
    }
    assert "p99_request_us (us, less is better)" in text_of(described)
    assert data["host_s"] >= 0
    assert "guest_s" not in data


def test_a_plane_may_be_for_some_workloads_only(library, serve):
    served = serve(ControlPlane(Lab(), repository=library, workloads=["schbench"], scale=Scale.STANDARD, seed=7))
    assert text_of(served.call("list_workloads")).startswith("schbench (latency)")
    refused = served.call("analyze_workload", workload="longtail")
    assert refused.is_error
    assert text_of(refused) == "unknown workload 'longtail'; there are: schbench"
    assert "standard" in text_of(served.call("describe_workload", workload="schbench"))
    with pytest.raises(BadInput, match="unknown workload 'schbnch'; did you mean schbench"):
        ControlPlane(Lab(), repository=library, workloads=["schbnch"])


def test_a_plane_may_score_by_another_objective(library, serve):
    served = serve(ControlPlane(Lab(), repository=library, workloads=["redis"], objective="fair"))
    described = served.call("describe_workload", workload="redis")
    assert described.structured_content["objective"]["floors"]
    assert "Floor: batch_work_per_s must stay at" in text_of(described)
    served = serve(
        ControlPlane(Lab(), repository=library, workloads=["redis"], objective=Objective({"p50_request_us": 1}))
    )
    assert "Objective: 100 % p50_request_us." in text_of(served.call("describe_workload", workload="redis"))
    with pytest.raises(BadInput, match="unknown objective of redis"):
        ControlPlane(Lab(), repository=library, workloads=["redis"], objective="fare")


def test_a_source_is_read_page_by_page_to_its_end(served):
    source = catalogue.load_policy("critical").source
    lines, following = [], 1
    while following:
        result = served.call("get_policy", policy="critical", first_line=following)
        shown = result.structured_content["source"]
        assert shown["first_line"] == following
        lines += shown["text"].split("\n")
        following = shown["next_line"]
    assert lines == source.splitlines()
    first = text_of(served.call("get_policy", policy="critical"))
    assert "Tunables:" in first
    assert "first_line=" in first
    beyond = served.call("get_policy", policy="critical", first_line=len(lines) + 1)
    assert text_of(beyond) == f"critical has {len(lines)} lines; there is no line {len(lines) + 1}"


def test_a_page_has_at_least_a_line():
    assert page("x " * 10_000, 1, limit=10).lines == 1
    shown = {"text": "b", "first_line": 2, "last_line": 2, "lines": 3, "next_line": 3}
    assert page("a\nb\nc", 2, limit=2).data() == shown
    with pytest.raises(BadInput, match="p has 1 lines; there is no line 2"):
        page("a", 2, name="p")


def test_search_finds_policies_primitives_and_what_failed(served):
    found = served.call("search_repository", query="keep one long job from finishing last", limit=3)
    assert found.structured_content["hits"][0]["name"] == "ljf"
    parts = served.call("search_repository", query="who wakes whom", kind="primitive")
    assert parts.structured_content["hits"][0]["name"] == "wake-graph"
    code = served.call("get_primitive", name="wake-graph").structured_content
    assert code["code"]["next_line"] is None
    assert "TASK_DATA_DEFINE" in code["code"]["text"]
    failed = served.call("search_repository", query="long job ends last", kind="antipattern", limit=2)
    assert failed.structured_content["hits"][0]["failed_because"]


def test_policies_are_listed_from_any_place_on(served):
    whole = served.call("list_policies").structured_content
    assert whole["total"] == len(whole["policies"]) == len(catalogue.policy_names()) - 1
    assert served.call("list_policies", first=3).structured_content["policies"] == whole["policies"][2:]
    assert "first must be 1 to" in text_of(served.call("list_policies", first=whole["total"] + 1))


WRONG = [
    ("describe_workload", {}, "describe_workload needs the argument 'workload', as 'schbench'"),
    ("describe_workload", {"workload": "schbnch"}, "unknown workload 'schbnch'; did you mean"),
    ("describe_workload", {"workload": "schbench", "seed": 3}, "unknown argument of describe_workload 'seed'"),
    ("describe_workload", {"workload": ["schbench"]}, "workload: Input should be a valid string, as 'schbench'"),
    ("describe_workload", {"workload": "x" * 1000}, "at most 80 characters"),
    ("read_workload_file", {"workload": "longtail", "path": "../redis/run.py"}, "outside the workload's folder"),
    ("read_workload_file", {"workload": "longtail", "path": "/etc/passwd"}, "outside the workload's folder"),
    ("read_workload_file", {"workload": "longtail", "path": "workload.yaml", "first_line": 0}, "greater than or equal"),
    ("read_workload_file", {"workload": "../redis", "path": "run.py"}, "unknown workload '../redis'"),
    ("get_policy", {"policy": "../../bpf/fifo.bpf.c"}, "there is no policy"),
    ("get_policy", {"policy": "./mine.bpf.c"}, "there is no policy './mine.bpf.c' in the repository; list_policies"),
    ("get_policy", {"policy": "eevdf"}, "it has no source"),
    ("get_policy", {"policy": "draft-000000000000"}, "submit its source again"),
    ("get_primitive", {"name": "nothing"}, "unknown primitive 'nothing'"),
    ("search_repository", {"query": "the of and"}, None),
    ("search_repository", {"query": "x", "kind": "everything"}, "'policy', 'primitive' or 'antipattern'"),
    ("search_repository", {"query": "fair", "workload_class": "fast"}, "unknown workload class 'fast'"),
    ("search_repository", {"query": "fair", "outcome": "good"}, "unknown outcome 'good'"),
    ("search_repository", {"query": "fair", "limit": 1000}, "less than or equal to 20"),
    ("measure_policy", {"workload": "schbench"}, "give either `policy` (a name or id) or `source`"),
    ("measure_policy", {"workload": "schbench", "policy": "fifo", "source": "x"}, "and not both"),
    ("measure_policy", {"workload": "schbench", "policy": "fifo.bpf.c"}, "there is no policy 'fifo.bpf.c'"),
    ("measure_policy", {"workload": "schbench", "policy": "fifo", "tunables": {"slice": 1}}, "unknown tunable 'slice'"),
    ("measure_policy", {"workload": "schbench", "policy": "vtime", "tunables": {"slice_us": 1}}, "out of range"),
    ("measure_policy", {"workload": "schbench", "policy": "vtime", "tunables": {"slice_us": [1]}}, "tunables.slice_us"),
    ("measure_policy", {"workload": "schbench", "source": "  "}, "the source is empty"),
    ("measure_policy", {"workload": "schbench", "source": "int a;\0"}, "NUL"),
    ("measure_policy", {"workload": "schbench", "source": "x" * 300_000}, "at most 262144 characters"),
    ("submit_policy", {"policy": "fifo", "stages": "some"}, "'quick' or 'full'"),
    ("submit_policy", {"policy": "eevdf"}, "nothing to verify"),
    ("submit_policy", {"policy": "fifo", "edits": [{"old": "no such text", "new": ""}]}, "is not in the source"),
    ("submit_policy", {"policy": "fifo", "edits": [{"old": "fifo", "new": ""}]}, "take more of what is around it"),
    ("submit_policy", {"policy": "fifo", "edits": [{"olde": "x"}]}, "edits.0.old: Field required"),
    ("submit_policy", {"policy": "eevdf", "edits": [{"old": "a", "new": "b"}]}, "no source to edit"),
    ("probe_workload", {"workload": "schbench", "source": ""}, "the probe is empty"),
    ("probe_workload", {"workload": "schbench", "source": "x" * 20_000}, "at most 16384 characters"),
    ("profile_workload", {"workload": "schbench", "profiles": ["nothing"]}, "unknown profile 'nothing'"),
    ("deploy_policy", {"workload": "schbench", "policy": "fifo"}, "has no token: submit_policy with stages=full"),
    ("deploy_policy", {"workload": "schbench", "policy": "fifo", "token": "let me in"}, "the token is malformed"),
    ("deploy_policy", {"workload": "schbench", "policy": "fifo", "token": "scp1.e30.AAAA"}, "the token is forged"),
    ("deploy_policy", {"workload": "schbench", "policy": "eevdf", "token": "scp1.e30.AAAA"}, "nothing to deploy"),
    ("deploy_policy", {"workload": "schbench", "policy": "fifo", "token": "x" * 20_000}, "at most 16384 characters"),
    ("deployment_status", {"deployment": "deployment-1"}, "this session has no deployment 'deployment-1'"),
    ("stop_deployment", {"deployment": "../1"}, "this session has no deployment '../1'"),
    ("deployment_status", {"deployment": "deployment-1", "wait_s": 1e9}, "less than or equal to 60"),
    ("get_feedback", {"workload": "schbench"}, "give either `policy`"),
    ("add_policy", {"name": "a b", "policy": "fifo"}, "a name has letters, digits"),
    ("add_policy", {"name": "mine", "policy": "eevdf"}, "can't be added"),
    ("add_policy", {"name": "eevdf", "policy": "fifo"}, "give another name"),
    ("add_policy", {"name": "draft-000000000000", "policy": "fifo"}, "give another name"),
    ("record_learning", {"title": "t", "text": "t", "worked": "perhaps"}, "worked: Input should be a valid boolean"),
    ("record_learning", {"title": "t", "text": "t", "worked": True}, "name the policy"),
    ("record_learning", {"title": "t", "text": "t", "worked": False, "policy": "nope"}, "there is no policy 'nope'"),
    ("record_learning", {"title": "t", "text": "x" * 9000, "worked": False}, "at most 8000 characters"),
    ("no_such_tool", {}, "unknown tool 'no_such_tool'; there are: add_policy"),
    ("describe_workloads", {}, "unknown tool 'describe_workloads'; did you mean describe_workload"),
]


@pytest.mark.parametrize(("tool", "arguments", "words"), WRONG, ids=[f"{at}-{row[0]}" for at, row in enumerate(WRONG)])
def test_what_is_wrong_is_said_in_a_line_or_two(served, tool, arguments, words):
    result = served.call(tool, **arguments)
    if words is None:
        return  # common words alone may find something or nothing: it must only not fail
    assert result.is_error
    assert words in text_of(result)
    assert len(text_of(result)) < 700
    assert text_of(result).count("\n") < 2
    assert served.entries()[-1]["outcome"] == "error"


def test_texts_hold_nothing_that_differs_from_run_to_run(served):
    for name, arguments in (
        ("list_workloads", {}),
        ("describe_workload", {"workload": "phases"}),
        ("search_repository", {"query": "interactive tasks beside CPU hogs"}),
        ("get_policy", {"policy": "mlfq"}),
        ("list_workload_files", {"workload": "redis"}),
    ):
        first, second = served.call(name, **arguments), served.call(name, "legacy", **arguments)
        assert text_of(first) == text_of(second)
        assert first.structured_content.pop("host_s") >= 0
        second.structured_content.pop("host_s")
        assert first.structured_content == second.structured_content


def test_a_draft_stands_for_its_source(plane):
    source = catalogue.load_policy("fifo").source
    changed = plane.policies.edited(source, [])
    assert changed == source
    name = plane.policies.remember(source + "\n/* mine */\n")
    policy = plane.resolve(name, tunables={})
    assert policy.name == name
    assert policy.source.endswith("/* mine */\n")
    assert plane.resolve(None, policy.source).name == name
    assert plane.resolve("fifo").name == "fifo"
    assert plane.resolve(plane.repository.get("fifo").id).name == "fifo"
    assert plane.resolve("eevdf").is_eevdf


def test_lessons_and_policies_are_kept(repository, serve):
    served = serve(ControlPlane(Lab(), repository=repository, author="tester"))
    lesson = {"title": "Short slices: worse!", "text": "slice_us=100 made p99 3 times worse", "policy": "vtime"}
    kept = served.call("record_learning", **lesson, worked=False, workload_classes=["latency"])
    assert kept.structured_content["name"] == "short-slices-worse"
    hits = served.call("search_repository", query="short slices", kind="antipattern", workload_class="latency")
    assert hits.structured_content["hits"][0]["policy"] == "vtime"
    assert "3 times worse" in text_of(served.call("get_policy", policy="vtime"))
    good = {"title": "long slices help", "text": "slice_us=20000: 1.2x on hackbench", "policy": "fifo"}
    served.call("record_learning", **good, worked=True)
    assert "Learnt: long slices help: slice_us=20000" in repository.get("fifo").card
    bad = served.call("record_learning", **{**good, "title": "t"}, worked=True, workload_classes=["fast"])
    assert bad.is_error


def test_feedback_in_a_run_is_for_measured_policies_only(library, serve):
    plane = ControlPlane(Lab(), repository=library, measured_only=True, workloads=["schbench"])
    served = serve(plane)
    for tool in ("get_feedback", "analyze_workload", "workload_changes", "profile_workload"):
        refused = served.call(tool, workload="schbench", policy="fifo")
        assert "was not measured on schbench yet" in text_of(refused)
    assert "the environment measures" in text_of(served.call("measure_policy", workload="schbench", policy="fifo"))
    plane.note_measured("schbench", plane.resolve("fifo"))
    plane.check_measured("schbench", plane.resolve("fifo"))
    with pytest.raises(BadInput, match="not measured"):
        plane.check_measured("schbench", plane.resolve("fifo", tunables={"slice_us": 900}))


def test_what_was_measured_of_a_draft_goes_with_it_into_the_repository(repository):
    plane = ControlPlane(Lab(), repository=repository)
    source = catalogue.load_policy("vtime").source + "\n/* mine */\n"
    draft = plane.resolve(None, source, {"slice_us": 700})
    metrics = dict.fromkeys(catalogue.load_workload("longtail").metrics, 2.0)
    baseline = Measurement("b", Outcome.OK, metrics=dict.fromkeys(metrics, 4.0))
    plane.note_measured("longtail", draft, Measurement("m", Outcome.OK, metrics=metrics), baseline)
    assert repository.results() == []
    record = plane.policies.repository.get("vtime")
    from schedcp_gym.control.repository import PolicyRecord

    kept = plane.add(PolicyRecord(name="mine", source=source, values={"slice_us": 700}, card=record.card))
    (result,) = repository.results("mine")
    assert result.policy == kept.id
    assert result.values == {}
    assert result.reward == pytest.approx(0.6931, abs=1e-3)
    assert plane.watch.state("longtail", "").best == draft.name
    plane.note_measured("longtail", Policy("fifo", catalogue.load_policy("fifo").source))


def test_a_resource_is_read_by_its_address(served):
    def read(uri):
        return served.do(lambda client: client.read_resource(uri)).contents[0].text

    assert json.loads(read("schedcp://workloads/schbench"))["class"] == "latency"
    assert read("schedcp://policies/fifo") == catalogue.load_policy("fifo").source
    assert "Good for:" in read("schedcp://policies/fifo/card")
    assert "#include <scx/common.bpf.h>" in read("schedcp://primitives/wake-graph")
    state = json.loads(read("schedcp://workloads/schbench/changes"))
    assert state["analysed_under"] is None
    assert state["new_analysis_due"] == []


@pytest.mark.parametrize(
    ("uri", "words"),
    [
        ("schedcp://workloads/nothing", "unknown workload"),
        ("schedcp://workloads/..%2F..%2Fetc", "unknown workload '../../etc'"),
        ("schedcp://workloads/schbench/secrets", "there is no resource"),
        ("file:///etc/passwd", "there is no resource"),
        ("schedcp://policies/%2Fetc%2Fpasswd", "there is no policy '/etc/passwd'"),
        ("schedcp://primitives/nothing", "unknown primitive"),
        ("schedcp://policies/" + "x" * 500, "there is no resource"),
    ],
)
@pytest.mark.parametrize("mode", ["auto", "legacy"])
def test_an_address_that_is_none_is_refused(served, uri, words, mode):
    async def read(client):
        with pytest.raises(Exception, match=r"(?s).") as caught:
            await client.read_resource(uri)
        return str(caught.value)

    assert words in served.do(read, mode)


def test_resources_are_listed_page_by_page(served):
    async def walk(client):
        found, cursor = [], None
        while True:
            listed = await client.list_resources(cursor=cursor)
            found += [resource.uri for resource in listed.resources]
            cursor = listed.next_cursor
            if cursor is None:
                return found, (await client.list_resource_templates()).resource_templates

    found, templates = served.do(walk)
    assert len(found) == len(set(found)) > 50
    assert {"schedcp://workloads/schbench/changes", "schedcp://policies/ljf"} <= set(found)
    assert all(template.description for template in templates)

    async def wrong(client):
        with pytest.raises(Exception, match="cursor is not one"):
            await client.list_resources(cursor="99999")

    served.do(wrong)


def test_prompts_are_filled_in(served):
    prompts = served.do(lambda client: client.list_prompts()).prompts
    assert {prompt.name for prompt in prompts} == {"optimise_workload", "write_policy", "explain_policy"}

    def get(name, **arguments):
        return served.do(lambda client: client.get_prompt(name, arguments)).messages[0].content.text

    text = get("optimise_workload", workload="redis", goal="batch work must not suffer")
    assert "`redis`" in text
    assert "batch work must not suffer" in text
    assert "$" not in get("explain_policy", workload="redis", policy="fifo")
    named = {tool for prompt in prompts for tool in TOOLS if f"`{tool}`" in _raw(served, prompt.name)}
    assert {"analyze_workload", "submit_policy", "deploy_policy", "record_learning"} <= named

    async def wrong(client):
        for name, arguments, words in (
            ("optimise_workload", {}, "needs the argument 'workload'"),
            ("optimise_workload", {"workload": "redish"}, "did you mean redis"),
            ("optimise_workload", {"workload": "redis", "aim": "x"}, "unknown argument"),
            ("write_policy", {"workload": "redis", "idea": "x" * 5000}, "2000 are allowed"),
            ("nothing", {}, "unknown prompt"),
        ):
            with pytest.raises(Exception, match=words):
                await client.get_prompt(name, arguments)

    served.do(wrong)


def _raw(served, name):
    from schedcp_gym.control.server.prompts import all_prompts

    return all_prompts()[name].text
