"""The catalogue: policies and workloads found by looking, and what is said of those that are not there or wrong."""

import re

import pytest
import yaml

from schedcp_gym.lab import catalogue
from schedcp_gym.lab.trial_job import build_job
from schedcp_gym.paths import POLICIES, WORKLOADS
from schedcp_gym.spec import EEVDF, BadInput, MachineSpec, Policy, Scale, Trial, TunableType

POLICY_NAMES = [name for name in catalogue.policy_names() if name != EEVDF]
GOOD = {
    "name": "mine",
    "title": "t",
    "description": "d",
    "command": ["prog", "--n={n}"],
    "metrics": {"time_s": {"unit": "s", "direction": "minimize", "description": "d"}},
    "objective": {"weights": {"time_s": 1.0}},
    "scales": {"smoke": {"n": 1}, "standard": {"n": 2}, "full": {"n": 3}},
}


@pytest.fixture
def declare(tmp_path, monkeypatch):
    """Writes a workload's declaration into a folder of workloads of our own, and loads it."""
    monkeypatch.setattr(catalogue, "WORKLOADS", tmp_path)
    monkeypatch.setattr("schedcp_gym.lab.trial_job.WORKLOADS", tmp_path)

    def write(content, name="mine"):
        (tmp_path / name).mkdir(exist_ok=True)
        path = tmp_path / name / "workload.yaml"
        if isinstance(content, bytes):
            path.write_bytes(content)
        else:
            path.write_text(content if isinstance(content, str) else yaml.safe_dump(content))
        return catalogue.load_workload(name)

    return write


def test_the_three_policies_and_the_kernels_own_are_there():
    names = catalogue.policy_names()
    assert names[0] == EEVDF
    assert {"fifo", "vtime", "ljf"} <= set(names)
    assert names[1:] == sorted(names[1:])
    assert catalogue.load_policy(EEVDF).is_eevdf


@pytest.mark.parametrize("name", POLICY_NAMES)
def test_a_policys_tunables_are_all_found_with_range_and_sentence(name):
    source = catalogue.load_policy(name).source
    declared = catalogue.tunables_of(source)
    assert [tunable.name for tunable in declared] == re.findall(
        r"^TUNABLE(?:_TEXT\(|_CGROUP\(|\(\w+,\s*)\s*(\w+)", source, re.MULTILINE
    )
    for tunable in declared:
        assert tunable.description.endswith(".")
        assert tunable.check(tunable.default) == tunable.default
        if tunable.type in (TunableType.U32, TunableType.U64):
            assert tunable.low < tunable.high
            assert not tunable.unit or tunable.unit.lower() in tunable.name.split("_")
            assert catalogue.load_policy(name, {tunable.name: str(tunable.low)}).tunables == (
                (tunable.name, tunable.low),
            )
            with pytest.raises(BadInput, match=tunable.name):
                catalogue.load_policy(name, {tunable.name: tunable.high + 1})
        if tunable.log:
            assert tunable.low > 0


@pytest.mark.parametrize("name", POLICY_NAMES)
def test_no_constant_of_a_policy_can_be_set_behind_the_catalogues_back(name):
    source = re.sub(r"/\*.*?\*/", "", catalogue.load_policy(name).source, flags=re.DOTALL)
    assert "const volatile" not in source  # TUNABLE makes those there are


@pytest.mark.parametrize("name", POLICY_NAMES)
def test_a_policys_card_says_what_it_is_good_and_bad_for(name):
    card = catalogue.card_of(catalogue.load_policy(name).source)
    assert card.startswith(f"{name}: ")
    assert "Good for:" in card
    assert "Bad for:" in card
    assert "*/" not in card


def test_a_source_without_a_comment_has_an_empty_card():
    assert catalogue.card_of("int x;") == ""


def test_all_kinds_of_tunables_are_read_in_the_order_of_the_source():
    source = """
TUNABLE_TEXT(prefix, "A name.");
TUNABLE_CGROUP(group, "A cgroup.");
TUNABLE(bool, strict, true, "", 0, 1, linear, "Yes or "
	"no.");
TUNABLE(u32, depth, 4, "tasks", 1, 64, log, "How many.");
 TUNABLE(u32, indented, 4, "tasks", 1, 64, log, "Not in column 0.");
"""
    prefix, group, strict, depth = catalogue.tunables_of(source)
    assert (prefix.name, prefix.type, prefix.default) == ("prefix", TunableType.TEXT, "")
    assert (group.name, group.type, group.default) == ("group", TunableType.CGROUP, "")
    assert (strict.type, strict.default, strict.description) == (TunableType.BOOL, True, "Yes or no.")
    assert (depth.type, depth.low, depth.high, depth.log, depth.unit) == (TunableType.U32, 1, 64, True, "tasks")


def test_a_default_outside_of_its_range_is_refused():
    with pytest.raises(BadInput, match="depth=99"):
        catalogue.tunables_of('TUNABLE(u32, depth, 99, "tasks", 1, 64, log, "How many.");')


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("fifoo", "unknown policy 'fifoo'; did you mean fifo?"),
        ("zzz", r"unknown policy 'zzz'; there are: .*eevdf, .*fifo"),
        ("", "unknown policy ''; there are: .*eevdf"),
        ("../lab/x", "unknown policy"),
        ("no/such.bpf.c", "no policy file 'no/such.bpf.c'"),
    ],
)
def test_an_unknown_policy_is_refused_with_near_names(name, text):
    with pytest.raises(BadInput, match=text):
        catalogue.load_policy(name)


def test_an_unknown_workload_is_refused_with_near_names():
    with pytest.raises(BadInput, match="unknown workload 'shbench'; did you mean schbench"):
        catalogue.load_workload("shbench")


def test_the_kernels_own_scheduler_has_no_tunables():
    with pytest.raises(BadInput, match="unknown tunable 'slice_us'; this policy has: it has none"):
        catalogue.load_policy(EEVDF, {"slice_us": 1})


def test_a_policy_of_ones_own_is_read_from_a_file(tmp_path):
    own = tmp_path / "own.bpf.c"
    own.write_text((POLICIES / "fifo.bpf.c").read_text())
    policy = catalogue.load_policy(str(own), {"slice_us": "500"})
    assert policy.name == "own"
    assert policy.tunables == (("slice_us", 500),)
    own.write_bytes(b"\xff\xfe\0")
    with pytest.raises(BadInput, match="not a text file"):
        catalogue.load_policy(str(own))


@pytest.mark.parametrize("name", catalogue.workload_names())
def test_a_workload_of_the_catalogue_is_whole_at_every_scale(name):
    workload = catalogue.load_workload(name)
    assert workload.name == name
    assert len(workload.digest) == 64
    sizes = set()
    for scale in Scale:
        trial = Trial(Policy(EEVDF), workload, MachineSpec(cpus=4), scale, 77)
        job = build_job(trial, None)
        words = job.files["setup"].decode() + job.files["command"].decode()
        assert "{" not in words
        assert ("77" in words) is not ("all seeds give the same" in " ".join(workload.description.split()))
        sizes.add(words)
        assert "policy.bpf.o" not in job.files
        assert job.files["environment"] == f"WORKLOAD={workload.folder}\nSEED=77\nCPUS=4\n".encode()
    assert len(sizes) == len(Scale)


@pytest.mark.parametrize("name", catalogue.workload_names())
def test_a_metrics_name_carries_its_unit(name):
    for metric, declared in catalogue.load_workload(name).metrics.items():
        assert metric.endswith({"1/s": "_per_s", "1": ""}.get(declared.unit, f"_{declared.unit}"))
        assert declared.description.endswith(".")


def test_the_digest_of_a_workload_follows_its_files(declare, tmp_path):
    before = declare(GOOD).digest
    assert declare(GOOD).digest == before
    (tmp_path / "mine" / "data.txt").write_text("1")
    assert catalogue.load_workload("mine").digest != before


@pytest.mark.parametrize(
    ("content", "field"),
    [
        ("name: [mine", "not YAML"),
        ("name: mine\n\ttitle: tab", "not YAML"),
        ("", "name must be 'mine'"),
        ({**GOOD, "name": "other"}, "name must be 'mine'"),
        ({**GOOD, "colour": "red"}, "colour"),
        ({**GOOD, "command": "prog --n=1"}, "command"),
        ({key: value for key, value in GOOD.items() if key != "title"}, "title"),
        ({**GOOD, "metrics": {"time_s": {"unit": "s", "direction": "up", "description": "d"}}}, "metrics.*direction"),
        (
            {**GOOD, "objective": {"weights": {"speed": 1}}},
            "objective: speed is not .* declare it, or leave it out",
        ),
        ({**GOOD, "scales": {"smoke": {}}}, "scales: standard, full missing"),
        ({**GOOD, "scales": {**GOOD["scales"], "smoke": {"n": [1]}}}, "scales.*smoke"),
        ("- a\n- list\n", "mine"),
        ("just words", "mine"),
        (b"name: \xff\xfe", "mine"),
        ("name: mine\ntitle: 2026-02-31", "mine"),
    ],
)
def test_a_wrong_declaration_is_refused_with_file_and_field(declare, content, field):
    match = f"workload.yaml.*{field}" if field != "mine" else r"mine/workload\.yaml"
    with pytest.raises(BadInput, match=match) as refused:
        declare(content)
    assert "\n" not in str(refused.value)
    assert ": : " not in str(refused.value)


@pytest.mark.parametrize("word", ["{nosuch}", "{}", "{0}", "{", "{seed!x}"])
def test_a_placeholder_without_a_value_is_refused_by_name_and_scale(declare, word):
    workload = declare({**GOOD, "command": ["prog", word]})
    with pytest.raises(BadInput, match=r"workload mine, scale full"):
        build_job(Trial(Policy(EEVDF), workload, MachineSpec(), Scale.FULL), None)


def test_a_workloads_files_travel_with_the_job_but_not_its_sources(declare, tmp_path):
    workload = declare(GOOD)
    (tmp_path / "mine" / "data").mkdir()
    (tmp_path / "mine" / "data" / "input.txt").write_text("1 2 3")
    (tmp_path / "mine" / "prog.c").write_text("int main;")
    job = build_job(Trial(Policy(EEVDF), workload), None)
    assert job.files["workload/data/input.txt"] == b"1 2 3"
    assert "workload/prog.c" not in job.files


def test_words_of_a_command_reach_the_guest_unharmed(declare):
    workload = declare({**GOOD, "command": ["prog", "a b", "$(reboot)", "it's", "{n}"]})
    job = build_job(Trial(Policy(EEVDF), workload), None)
    assert job.files["command"] == b"exec prog 'a b' '$(reboot)' 'it'\"'\"'s' 1\n"


def test_tunables_reach_the_loader_as_text():
    policy = Policy("p", "int x;", (("a", 5), ("b", True), ("c", "text")))
    job = build_job(Trial(policy, catalogue.load_workload("schbench")), b"object")
    assert job.files["tunables"] == b"a=5\nb=1\nc=text\n"
    assert job.files["policy.bpf.o"] == b"object"


def test_every_workload_folder_has_what_its_image_build_needs():
    for name in catalogue.workload_names():
        workload = catalogue.load_workload(name)
        if workload.build:
            assert "install:" in (WORKLOADS / workload.folder / "Makefile").read_text()


@pytest.fixture
def vary(declare, tmp_path):
    """Writes a workload and the declaration of a variant into a folder of our own, and loads the variant."""

    def write(variant, name="mine-big", workload=GOOD):
        declare(workload)
        (tmp_path / "mine" / f"{name.removeprefix('mine-')}.variant.yaml").write_text(yaml.safe_dump(variant))
        return catalogue.load_workload(name)

    return write


def test_a_variant_is_a_workload_of_its_own_and_says_only_what_differs(vary):
    big = vary({"name": "mine-big", "title": "larger", "parameters": {"n": 9, "m": 1}, "scales": {"full": {"n": 10}}})
    assert catalogue.workload_names() == ["mine", "mine-big"]
    assert (big.name, big.folder, big.title, big.description) == ("mine-big", "mine", "larger", "d")
    assert big.scales == {"smoke": {"n": 9, "m": 1}, "standard": {"n": 9, "m": 1}, "full": {"n": 10, "m": 1}}
    plain = catalogue.load_workload("mine")
    assert plain.scales[Scale.SMOKE] == {"n": 1}
    assert build_job(Trial(Policy(EEVDF), big), None).files["environment"].startswith(b"WORKLOAD=mine\n")
    assert Trial(Policy(EEVDF), big).digest != Trial(Policy(EEVDF), plain).digest


def test_a_variant_may_have_an_objective_of_its_own(vary):
    other = {"weights": {"time_s": 2.0}, "floors": {"time_s": 0.5}}
    big = vary({"name": "mine-big", "objective": other, "objectives": {"fair": other}})
    assert big.objective.weights == {"time_s": 2.0}
    assert catalogue.find_objective(big, "fair").floors == {"time_s": 0.5}
    assert catalogue.find_objective(big, None) is big.objective
    with pytest.raises(BadInput, match="unknown objective of mine-big 'fare'; did you mean fair"):
        catalogue.find_objective(big, "fare")


@pytest.mark.parametrize(
    ("variant", "reason"),
    [
        ({"name": "big"}, "name must be 'mine-big', as the file's"),
        ({"name": "mine-big", "colour": "red"}, "colour"),
        ({"name": "mine-big", "scales": {"huge": {"n": 1}}}, "scales.*huge"),
        ({"name": "mine-big", "scales": {"smoke": [1]}}, "mapping"),
        ({"name": "mine-big", "scales": ["smoke"]}, "mapping"),
        ({"name": "mine-big", "parameters": "n=1"}, "mapping"),
        ({"name": "mine-big", "parameters": {"n": [1]}}, "scales"),
        ("just words", "mapping"),
    ],
)
def test_a_wrong_variant_is_refused_with_file_and_field(vary, variant, reason):
    with pytest.raises(BadInput, match=rf"(?s)mine/big\.variant\.yaml.*{reason}"):
        vary(variant)


def test_a_variant_of_nothing_is_no_workload(vary, tmp_path):
    vary({"name": "mine-big"})
    (tmp_path / "other").mkdir()
    (tmp_path / "other" / "big.variant.yaml").write_text("name: other-big")
    assert catalogue.workload_names() == ["mine", "mine-big"]


def test_another_variant_or_other_words_change_no_trial_but_what_is_measured_does(vary):
    def identity(name):
        trial = Trial(Policy(EEVDF), catalogue.load_workload(name))
        return trial.digest, build_job(trial, None).files

    vary({"name": "mine-big"})
    before = {name: identity(name) for name in ("mine", "mine-big")}
    vary({"name": "mine-small"}, "mine-small")
    assert {name: identity(name) for name in before} == before
    vary({"name": "mine-big", "description": "other words"})
    assert {name: identity(name) for name in before} == before
    vary({"name": "mine-big", "metrics": {**GOOD["metrics"], "more_s": GOOD["metrics"]["time_s"]}})
    assert identity("mine") == before["mine"]
    assert identity("mine-big")[0] != before["mine-big"][0]


@pytest.fixture
def share(tmp_path, monkeypatch):
    """A folder of shared files of our own."""
    folder = tmp_path / "common"
    folder.mkdir()
    monkeypatch.setattr(catalogue, "SHARED", folder)
    monkeypatch.setattr("schedcp_gym.lab.trial_job.SHARED", folder)
    return folder


def test_what_a_workload_shares_travels_with_its_job_and_counts_in_its_digest(declare, share):
    (share / "driver.py").write_text("1")
    (share / "other.py").write_text("1")
    (share / "common.h").write_text("1")
    workload = declare({**GOOD, "shared": ["driver.py", "common.h"]})
    files = build_job(Trial(Policy(EEVDF), workload), None).files
    assert {name for name in files if name.startswith("shared/")} == {"shared/driver.py"}
    (share / "other.py").write_text("2")
    assert catalogue.load_workload("mine").digest == workload.digest
    (share / "driver.py").write_text("2")
    changed = catalogue.load_workload("mine").digest
    assert changed != workload.digest
    (share / "common.h").write_text("2")  # compiled into the image, whose key has it too
    assert catalogue.load_workload("mine").digest != changed


@pytest.mark.parametrize("name", ["nosuch.py", "../mine/workload.yaml", "/etc/passwd", "", ".", 5])
def test_what_is_not_among_the_shared_files_can_not_be_shared(declare, share, name):
    with pytest.raises(BadInput, match=r"mine/workload\.yaml"):
        declare({**GOOD, "shared": [name]})


def test_a_workload_may_declare_how_long_its_jobs_take_and_the_machine_has_the_last_word(declare):
    workload = declare({**GOOD, "max_job_s": {"full": 600}})
    trials = {scale: Trial(Policy(EEVDF), workload, MachineSpec(), scale) for scale in Scale}
    assert {scale: trial.max_job_s for scale, trial in trials.items()} == {"smoke": 120, "standard": 120, "full": 600}
    assert build_job(trials[Scale.FULL], None).max_job_s == 600
    short = Trial(Policy(EEVDF), workload, MachineSpec(max_job_s=5), Scale.FULL)
    assert short.max_job_s == 5
    assert short.digest != trials[Scale.FULL].digest
