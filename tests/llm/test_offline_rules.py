"""The rules of the offline stand-in: what it reads out of texts, what it concludes, how it tunes, writes and mends."""

import json
import math
import re
from pathlib import Path

import pytest
import yaml

from schedcp_gym.lab import catalogue
from schedcp_gym.llm.providers import _offline, provider_names
from schedcp_gym.llm.providers._offline import propose, repair, ruleset, tune, write
from schedcp_gym.llm.providers._offline.conversation import Call
from schedcp_gym.llm.providers._offline.facts import Facts, read_summary
from schedcp_gym.llm.providers._offline.fitting import fit
from schedcp_gym.llm.providers._offline.library import hits, policies, tunables_of
from schedcp_gym.llm.providers._offline.propose import Result

SAID = Path(__file__).with_name("offline")
RULES = Path(_offline.__file__).parent


def summary(name):
    return read_summary((SAID / f"summary-{name}.txt").read_text())


def known():
    calls = [Call("search_repository", {"query": "x"}, (SAID / f"search-{n}.txt").read_text()) for n in (1, 2)]
    names = ("ljf", "layers", "batch")
    calls += [Call("get_policy", {"policy": name}, (SAID / f"policy-{name}.txt").read_text()) for name in names]
    return policies(calls)


def test_the_package_is_no_provider():
    assert "offline" in provider_names()
    assert not any(name.startswith("_") for name in provider_names())


def test_no_rule_knows_a_workload():
    texts = "\n".join(path.read_text() for path in RULES.rglob("*") if path.suffix in (".yaml", ".c", ".py")).lower()
    programs = {"redis", "gzip", "schbench", "cc1", "perl", "ffmpeg", "nginx", "stress-ng", "hackbench", "longtail"}
    # "compression" and the like are also plain words: there, a name counts where it stands as a value.
    names = {name for name in catalogue.workload_names() if "-" in name} | programs
    assert [name for name in sorted(names) if re.search(rf"\b{re.escape(name)}\b", texts)] == []
    assert [
        name for name in catalogue.workload_names() if re.search(rf"[\"'\[: ]{re.escape(name)}[\"',\]]", texts)
    ] == []


def test_no_rule_knows_a_policy_of_the_library():
    """What it chooses is what the repository says fits."""
    data = [yaml.safe_load(path.read_text()) for path in (RULES / "rules").glob("*.yaml")]
    text = json.dumps(data)
    names = set(catalogue.policy_names()) - {
        "batch",
        "split",
        "central",
        "cost",
        "critical",
        "layers",
        "nest",
        "lottery",
    }
    assert [name for name in sorted(names) if re.search(rf"\b{name}\b", text)] == []


def test_a_summary_is_read_though_its_lines_are_broken():
    facts = summary("longtail")
    assert facts.goal == "finish"
    assert facts.names["outlier"] == "lichen-8176"
    assert (facts.figures["outlier_times"], facts.figures["outlier_is_named"]) == (23, 1)
    assert facts.figures["above_best_percent"] == pytest.approx(27.1, abs=0.1)
    assert [(group.label, group.tasks, group.own_names) for group in facts.groups] == [("longtail-job", 40, True)]
    assert facts.wakes[0] == ("longtail-job", "longtail", 115)


@pytest.mark.parametrize(
    ("name", "diagnosis"),
    [
        ("longtail", "long-job-by-name"),
        ("compression", "long-job-by-name"),
        ("kernel-build", "long-job-unnamed"),
        ("redis", "sleepers-beside-hogs"),
        ("cyclictest", "sleepers-beside-hogs"),
        ("schbench", "like-workers-in-one-go"),
        ("hackbench", "messages-among-alike"),
        ("phases", "long-job-by-name"),
    ],
)
def test_what_holds_it_up(name, diagnosis):
    assert ruleset.holding(summary(name))[0]["name"] == diagnosis


def test_any_line_may_be_missing():
    lines = (SAID / "summary-redis.txt").read_text().splitlines()
    for missing in range(len(lines)):
        facts = read_summary("\n".join(lines[:missing] + lines[missing + 1 :]))
        assert ruleset.holding(facts)
        assert propose.queries(facts)
    assert not read_summary("no such workload").groups


def test_a_search_is_read():
    names = [name for name, _ in hits((SAID / "search-1.txt").read_text())]
    assert names[:2] == ["ljf", "layers"]


def test_a_policy_is_read():
    ljf = next(policy for policy in known() if policy.name == "ljf")
    assert "one long job among many short ones" in ljf.good
    assert ljf.bad.startswith("everything else")
    assert ljf.source.startswith("// SPDX")
    assert "scx_bpf_dsq_insert_vtime" in ljf.source
    assert ljf.tunable("favour").type == "text"
    layers = next(policy for policy in known() if policy.name == "layers")
    slice_us = layers.tunable("normal_slice_us")
    assert (slice_us.low, slice_us.high, slice_us.log, slice_us.unit) == (500, 200000, True, "us")


def test_who_stands_out_is_favoured():
    first = propose.fitting(summary("longtail"), known())[0]
    assert first.policy == "ljf"
    assert first.values["favour"] == "lichen-8176"


def test_the_policy_that_its_card_calls_bad_for_this_is_not_chosen():
    chosen = [proposal.policy for proposal in propose.fitting(summary("longtail"), known())]
    assert "srtf" not in chosen[:2]


def test_tuning_goes_on_where_it_gained_and_never_measures_twice():
    tunables = tunables_of('TUNABLE(u64, slice_us, 20000, "us", 100, 1000000, log, "A turn.");')

    def reward(slice_us):
        return -abs(math.log(slice_us / 3000))  # best at 3000 us

    points = [tune.Point({"slice_us": 20000}, reward(20000))]
    for _ in range(8):
        values = next(tune.steps(tunables, points), None)
        if values is None:
            break
        assert values not in [dict(point.values) for point in points]
        points.append(tune.Point(values, reward(values["slice_us"])))
    best = max(points, key=lambda point: point.reward)
    assert 2000 <= best.values["slice_us"] <= 4500


def test_tuning_stays_in_range_and_ends():
    tunables = tunables_of('TUNABLE(u32, share_percent, 95, "percent", 5, 95, linear, "A share.");')
    points = [tune.Point({"share_percent": 95}, 0.0)]
    for _ in range(30):
        values = next(tune.steps(tunables, points), None)
        if values is None:
            break
        assert 5 <= values["share_percent"] <= 95
        points.append(tune.Point(values, -1.0))
    assert values is None


def test_with_two_names_set_each_is_tried_alone():
    text = 'TUNABLE_TEXT(high_name, "High.");\nTUNABLE_TEXT(low_name, "Low.");'
    results = [Result("layers", {"high_name": "a", "low_name": "b"}, 0.3)]
    steps = list(propose.better_values("layers", tunables_of(text), results))
    assert steps == [{"low_name": "b"}, {"high_name": "a"}]


@pytest.mark.parametrize("template", sorted(ruleset.load("templates")["templates"]))
def test_a_template_is_a_source_of_the_catalogue(template):
    source = write.compose(template, Facts(), "My new-1")
    declared = {tunable.name: tunable for tunable in catalogue.tunables_of(source)}
    assert "slice_us" in declared
    assert "$" not in source
    assert catalogue.card_of(source).startswith("My new-1:")
    assert write.template_for(ruleset.load("templates")["templates"][template]["change"]) == template


def test_a_patch_is_edits_that_occur_once():
    source = (Path(catalogue.__file__).parents[2] / "bpf" / "ljf.bpf.c").read_text()
    for patch in ruleset.load("patches")["patches"]:
        edits = write.edits(patch["name"], source)
        assert edits
        assert {source.count(edit["old"]) for edit in edits} == {1}
        patched = write.apply(edits, source)
        assert "head_start_ns" in patched
        names = [tunable.name for tunable in catalogue.tunables_of(patched)]
        assert any(name.startswith("head_start") for name in names)
        assert write.patch_for(patch["change"]) == patch["name"]


@pytest.mark.parametrize(
    ("fault", "report", "mended"),
    [
        (
            "#include <scx/common.bpf.h>\nint a = MS_TO_NS(1);\n",
            "a.c:2:9: error: call to undeclared function 'MS_TO_NS'",
            "<schedcp/helpers.bpf.h>",
        ),
        ("int f(void)\n{\n\treturn 1\n}\n", "p.bpf.c:3:10: error: expected ';' after return statement", "return 1;"),
        (
            'TUNABLE(u64, a_us, 5, "us", 10, 20, log, "x");\n',
            "a_us: the default lies outside of the range",
            "a_us, 10,",
        ),
    ],
)
def test_a_fault_is_mended(fault, report, mended):
    assert mended in repair.mend(fault, report)
    assert repair.mend(fault, "something that no rule knows") == fault


def test_a_value_is_made_to_fit_a_schema():
    schema = {
        "properties": {
            "a": {"type": "string"},
            "b": {"anyOf": [{"type": "integer"}, {"type": "null"}]},
            "c": {"enum": ["x"]},
        },
        "required": ["a", "b", "c"],
        "additionalProperties": False,
    }
    assert fit({"a": "t", "more": 1}, schema) == {"a": "t", "b": None, "c": "x"}
