"""Entries of the leaderboard: an honest one is accepted wherever it is, and no tampering is."""

import hashlib
import json
import shutil
import subprocess
import sys

import pytest
import yaml

from schedcp_gym.envs.base import HELD_OUT_SEEDS
from schedcp_gym.lab import Lab
from schedcp_gym.leaderboard import check_entry
from schedcp_gym.leaderboard.agent_code import read_code
from schedcp_gym.leaderboard.check import audit
from schedcp_gym.leaderboard.flaw import FlawKind
from schedcp_gym.leaderboard.manifest import MANIFEST, file_digests, manifest_digest, read_runs, seal
from schedcp_gym.leaderboard.rerun import RerunSample
from schedcp_gym.leaderboard.site import build
from schedcp_gym.leaderboard.submit import Submission, submit, unpack
from schedcp_gym.run.folder import POLICIES, RUNS, open_run
from schedcp_gym.run.packed import write_packed
from schedcp_gym.spec import BadInput, SchedcpError

pytestmark = pytest.mark.guest
RUN = "runs/schbench_s1"
VARIANT = "+heldout.variants.schbench={3x3: {message_threads: 3, threads: 3}}"
WORDS = ["+agent=random_search", "workload=schbench", "budget.evaluations=3", "heldout.seeds=3", VARIANT]


@pytest.fixture(scope="module")
def runs(tmp_path_factory):
    """Two short runs."""
    folder = tmp_path_factory.mktemp("runs")
    for seed in (1, 2):
        words = [*WORDS, f"seed={seed}", f"run.dir={folder}/s{seed}"]
        subprocess.run([sys.executable, "-m", "schedcp_gym.run", *words], check=True, capture_output=True)
    return folder


@pytest.fixture(scope="module")
def honest(runs, tmp_path_factory):
    """An entry of them."""
    (entry,) = submit([runs], tmp_path_factory.mktemp("entries"), Submission(by="tests"))
    return entry


@pytest.fixture
def entry(honest, tmp_path):
    """A copy, as in another checkout."""
    shutil.copytree(honest.parent / POLICIES, tmp_path / "elsewhere" / POLICIES)
    return shutil.copytree(honest, tmp_path / "elsewhere" / honest.name)


def no_lab():
    pytest.fail("a machine was asked for, though the entry could be refused without")


def fresh_lab():
    return Lab(workers=2, cache=False, keep=False)


def test_an_honest_entry_is_accepted_and_repeats(entry):
    report = check_entry(entry, RerunSample(2, draw=1), fresh_lab)
    assert report.flaws == ()
    assert (report.repeated, report.clock) == (2, "virtual")
    known = [one["measurement"]["trial"] for run in read_runs(entry) for _name, one in run.trials]
    assert report.trials == len(set(known) - {""})  # EEVDF on the held-out seeds is the same in both runs
    told = [sys.executable, "-m", "schedcp_gym.cli", "leaderboard", "check", str(entry), "--no-run", "--json"]
    done = subprocess.run(told, capture_output=True, text=True, check=True)
    assert json.loads(done.stdout)[0]["accepted"]


def test_an_entry_holds_what_the_runs_folders_hold(entry, runs, tmp_path):
    """All files of the runs but those that follow from the record; the policies are beside the entry, each once."""
    for folder in unpack(entry, tmp_path / "runs"):
        for path in folder.rglob("*.*"):
            if path.is_file():
                assert path.read_bytes() == (runs / folder.name[-2:] / path.relative_to(folder)).read_bytes()
    named = {path.name for path in runs.glob("*/sources/*")}
    assert {path.name for path in (entry.parent / POLICIES).iterdir()} == named
    assert {path.name for path in entry.iterdir()} - {"agent"} == {MANIFEST, RUNS}


# What an adversary does who knows the format: unpacks the entry, changes a file, packs it again, and seals it again as
# far as that goes.


def tampered(entry, tamper, work):
    """Changes what is in an entry; ``tamper`` is given the folder with its ``runs/``."""
    unpack(entry, work / "runs")
    tamper(work)
    packed = {}
    # Runs may share a policy: what was changed in one of them must not be undone by the copy of another.
    honest = {path.name: path.read_bytes() for path in (entry.parent / POLICIES).iterdir()}
    for folder in (work / "runs").iterdir():
        for source in folder.glob("sources/*"):
            if source.read_bytes() != honest.get(source.name):
                shutil.copy(source, entry.parent / POLICIES / source.name)
        files = [path for path in folder.rglob("*") if path.is_file() and path.parent.name != "sources"]
        packed[folder.name] = {path.relative_to(folder).as_posix(): path.read_bytes() for path in files}
    write_packed(packed, entry / RUNS)


def lines(entry, run=RUN):
    return [json.loads(line) for line in (entry / run / "record.jsonl").read_text().splitlines()]


def write(entry, entries, run=RUN):
    (entry / run / "record.jsonl").write_text("".join(json.dumps(one) + "\n" for one in entries))


def at(kind, number=0):
    """Changes the n-th entry of a kind by a function."""

    def decorate(change):
        def tamper(entry):
            entries = lines(entry)
            change([one for one in entries if one["kind"] == kind][number])
            write(entry, entries)

        return tamper

    return decorate


def set_trial(entry, one):
    """The digest of the trial that a line says it is of."""
    one["measurement"]["trial"] = one["measurement"]["digests"]["trial"] = open_run(entry / RUN).trial_of(one).digest


@at("evaluation")
def changed_number(one):
    one["measurement"]["metrics"]["p99_request_us"] *= 0.9


@at("evaluation")
def changed_seed(one):
    one["workload_seed"] += 1


@at("evaluation", 1)
def foreign_image_in_one_trial(one):
    one["measurement"]["digests"]["image"] = "f" * 64


def changed_source(entry):
    path = next((entry / RUN / "sources").glob("*.bpf.c"))
    path.write_text(path.read_text() + "\n/* faster */\n")


def changed_source_and_its_name(entry):
    sha256 = next(one["source_sha256"] for one in lines(entry) if one["kind"] == "evaluation")
    old = entry / RUN / "sources" / f"{sha256}.bpf.c"
    text = old.read_text() + "\n/* faster */\n"
    new = hashlib.sha256(text.encode()).hexdigest()
    old.unlink()
    old.with_name(f"{new}.bpf.c").write_text(text)
    path = entry / RUN / "record.jsonl"
    path.write_text(path.read_text().replace(sha256, new))


def lowered_budget(entry):
    edit_config(entry, lambda config: config["budget"].update(evaluations=2))


def raised_budget(entry):
    edit_config(entry, lambda config: config["budget"].update(evaluations=24))


def edit_config(entry, change, runs=(1, 2)):
    for run in runs:
        path = entry / f"runs/schbench_s{run}/config.yaml"
        config = yaml.safe_load(path.read_text())
        change(config)
        path.write_text(yaml.safe_dump(config))


def missing_trial(entry):
    entries = lines(entry)
    del entries[2]
    write(entry, entries)


def missing_last_trial(entry):
    entries = lines(entry)
    entries.remove([one for one in entries if one["kind"] == "evaluation"][-1])
    write(entry, entries)


def missing_heldout_trial(entry):
    write(entry, lines(entry)[:-1])


def missing_record(entry):
    (entry / RUN / "record.jsonl").unlink()


def duplicated_trial(entry):
    entries = lines(entry)
    write(entry, [*entries[:2], entries[1], *entries[2:]])


def duplicated_heldout_trial(entry):
    write(entry, [*lines(entry), lines(entry)[-1]])


def changed_config(entry):
    edit_config(entry, lambda config: config["machine"].update(cpus=4))


def added_heldout_seed(entry):
    entries = lines(entry)
    heldout = [one for one in entries if one["kind"] == "heldout" and one["workload"] == "schbench"]
    for one in (heldout[0], heldout[3]):
        entries.append({**json.loads(json.dumps(one)), "workload_seed": HELD_OUT_SEEDS + 3})
        set_trial(entry, entries[-1])
    write(entry, entries)


def went_on_after_its_test(entry):
    """As a run that went on with a larger budget after it was tested."""
    entries = lines(entry)
    tested = next(one for one in entries if one["kind"] == "heldout" and one["source_sha256"])
    again = json.loads(json.dumps(tested))
    again["tunables"] = {}
    set_trial(entry, again)
    write(entry, [*entries, again])


def searched_on_heldout_seeds(entry):
    entries = lines(entry)
    for one in entries:
        if one["kind"] != "heldout":
            one["workload_seed"] = HELD_OUT_SEEDS
            set_trial(entry, one)
    write(entry, entries)


def changed_chosen_policy(entry):
    path = entry / RUN / "best.json"
    best = json.loads(path.read_text())
    other = next(one for one in lines(entry) if one["kind"] == "evaluation" and one["tunables"] != best["tunables"])
    path.write_text(json.dumps({**best, "policy": other["policy"], "tunables": other["tunables"]}))


def another_policy_tested(entry):
    entries = lines(entry)
    tested = next(one for one in entries if one["kind"] == "heldout" and one["source_sha256"])
    other = next(
        one for one in entries if one["kind"] == "evaluation" and one["source_sha256"] != tested["source_sha256"]
    )
    for key in ("policy", "tunables", "source_sha256"):
        tested[key] = other[key]
    tested["measurement"]["digests"]["policy"] = other["source_sha256"]
    set_trial(entry, tested)
    write(entry, entries)


def changed_cost(entry):
    path = entry / RUN / "summary.json"
    summary = json.loads(path.read_text())
    cost = {"models": ["m"], "tokens": 3, "usd": 0.0}
    path.write_text(json.dumps({**summary, "cost": cost}))


def renamed_agent(entry):
    edit_config(entry, lambda config: config["run"].update(agent="eevdf"))


def result_of_no_trial(entry):
    """What is of no trial is never run again."""
    entries = lines(entry)
    tested = next(one for one in entries if one["kind"] == "heldout" and one["source_sha256"])
    tested["measurement"]["trial"] = ""
    del tested["measurement"]["digests"]["trial"]
    write(entry, entries)


def kernel_out_of_the_entry(entry):
    """Its packages' scripts would be run by whoever checks."""
    edit_config(entry, lambda config: config["machine"].update(kernel=str(entry / "kernel")))


def objective_with_a_negative_weight(entry):
    weights = {"p99_request_us": 1.0, "p99_wakeup_us": -2.0}
    edit_config(entry, lambda config: config.update(objective={"weights": weights}))


def another_machine_than_the_suite(entry):
    def change(config):
        config["run"]["suite"] = "smoke"
        config["machine"]["cpus"] = 4

    edit_config(entry, change)


def lucky_run_for_another_seed(entry):
    """Every trial is true, and gives the same again."""
    for name in ("record.jsonl", "summary.json", "best.json"):
        shutil.copy(entry / RUN / name, entry / "runs/schbench_s2" / name)
    for name in ("summary.json", "best.json"):
        path = entry / "runs/schbench_s2" / name
        told = json.loads(path.read_text())
        told |= {key: 2 for key in ("seed", "run_seed") if key in told}
        path.write_text(json.dumps(told))
    shutil.copytree(entry / RUN / "sources", entry / "runs/schbench_s2/sources", dirs_exist_ok=True)


def target_in_the_command(entry):
    edit_config(entry, lambda config: config["agent"].update(samplers=[{"_target_": "os.abort"}]))


TAMPERINGS = [
    (lucky_run_for_another_seed, FlawKind.TRIAL, "runs/schbench_s2/record.jsonl", "with the run's seed, 2"),
    (
        lucky_run_for_another_seed,
        FlawKind.DUPLICATE,
        "runs/schbench_s2",
        "the same trials as the one in runs",
    ),
    (result_of_no_trial, FlawKind.TRIAL, f"{RUN}/record.jsonl line", "belongs to no trial"),
    (kernel_out_of_the_entry, FlawKind.CONFIG, f"{RUN}/config.yaml", "machine.kernel"),
    (objective_with_a_negative_weight, FlawKind.CONFIG, f"{RUN}/config.yaml", "objective"),
    (
        another_machine_than_the_suite,
        FlawKind.CONFIG,
        f"{RUN}/config.yaml",
        "machine.cpus differs from the suite",
    ),
    (target_in_the_command, FlawKind.CONFIG, f"{RUN}/config.yaml", "_target_"),
    (changed_number, FlawKind.NUMBER, f"{RUN}/record.jsonl line 2", "reward is"),
    (changed_seed, FlawKind.TRIAL, f"{RUN}/record.jsonl line 2", "seed"),
    (foreign_image_in_one_trial, FlawKind.IMAGE, f"{RUN}/record.jsonl line 3", "another image"),
    (changed_source, FlawKind.POLICY, "policies/", "not the one that was measured"),
    (changed_source_and_its_name, FlawKind.TRIAL, f"{RUN}/record.jsonl line 2", "policy"),
    (lowered_budget, FlawKind.BUDGET, f"{RUN}/record.jsonl line 4", "budget.evaluations=2 was used up"),
    (raised_budget, FlawKind.BUDGET, f"{RUN}/summary.json", "evaluations=24"),
    (missing_trial, FlawKind.MISSING, f"{RUN}/record.jsonl line 3", "step 2 of episode 0"),
    (missing_last_trial, FlawKind.BUDGET, f"{RUN}/summary.json", "there are 2"),
    (
        missing_heldout_trial,
        FlawKind.MISSING,
        f"{RUN}/record.jsonl",
        f"held-out seed {HELD_OUT_SEEDS + 2} of schbench-3x3",
    ),
    (missing_record, FlawKind.MISSING, f"{RUN}/record.jsonl", "the file is missing"),
    (duplicated_trial, FlawKind.DUPLICATE, f"{RUN}/record.jsonl line 3", "step 1 of episode 0"),
    (duplicated_heldout_trial, FlawKind.DUPLICATE, f"{RUN}/record.jsonl line 17", "two trials already"),
    (changed_config, FlawKind.CONFIG, f"{RUN}/config.yaml", "machine"),
    (added_heldout_seed, FlawKind.HELDOUT, f"{RUN}/record.jsonl line 17", f"seed {HELD_OUT_SEEDS + 3}"),
    (went_on_after_its_test, FlawKind.HELDOUT, f"{RUN}/record.jsonl line 17", "continued after its test"),
    (searched_on_heldout_seeds, FlawKind.HELDOUT, f"{RUN}/record.jsonl line 1", "the search used"),
    (changed_chosen_policy, FlawKind.CHOSEN, f"{RUN}/best.json", "policy"),
    (another_policy_tested, FlawKind.CHOSEN, f"{RUN}/record.jsonl line", "another policy than the chosen"),
    (changed_cost, FlawKind.COST, f"{RUN}/summary.json", "cost"),
    (renamed_agent, FlawKind.AGENT, f"{RUN}/config.yaml", "eevdf is schedcp_gym.baselines.eevdf.Eevdf"),
]


def seal_again(entry):
    """Whoever tampers seals the entry as our own code does; where that code refuses to, by hand."""
    try:
        seal(entry, {"by": "an adversary"})
    except (SchedcpError, OSError, KeyError, ValueError):
        manifest = json.loads((entry / MANIFEST).read_text())
        manifest["files"] = file_digests(entry)
        (entry / MANIFEST).write_text(json.dumps({**manifest, "digest": manifest_digest(manifest)}))


@pytest.mark.parametrize(
    ("tamper", "kind", "record", "reason"), TAMPERINGS, ids=[tampering[0].__name__ for tampering in TAMPERINGS]
)
def test_tampering_is_refused_without_a_machine(entry, tamper, kind, record, reason, tmp_path):
    tampered(entry, tamper, tmp_path / "work")
    changed = check_entry(entry, RerunSample(None), no_lab)
    # The seal is broken; that of a policy is its name.
    broken = "the source is not" if tamper is changed_source else "the file is not"
    assert any(broken in refusal.reason for refusal in changed.flaws)
    seal_again(entry)
    report = check_entry(entry, RerunSample(None), no_lab)
    right = [one for one in report.flaws if one.kind is kind and one.record.startswith(record)]
    assert any(reason in one.reason for one in right), "\n".join(map(str, report.flaws))
    assert not any("the file is not the submitted one" in one.reason for one in report.flaws)


@pytest.mark.parametrize(
    ("key", "value", "kind"),
    [
        ("agent", {"name": "sched_agent"}, FlawKind.AGENT),
        ("agent", {"sha256": "0" * 64}, FlawKind.AGENT),
        ("score", {"iqm": 2.5}, FlawKind.MANIFEST),
        ("costs", {"usd": 0.01}, FlawKind.COST),
        ("budget", {"evaluations": 2}, FlawKind.BUDGET),
        ("digests", {"image": ["f" * 64]}, FlawKind.IMAGE),
    ],
)
def test_a_manifest_that_says_otherwise_is_refused(entry, key, value, kind):
    path = entry / MANIFEST
    manifest = json.loads(path.read_text())
    manifest[key] |= value
    path.write_text(json.dumps(manifest))
    assert "changed" in str(audit(entry)[0][0])
    path.write_text(json.dumps({**manifest, "digest": manifest_digest(manifest)}))
    report = check_entry(entry, RerunSample(None), no_lab)
    assert [(one.kind, one.record) for one in report.flaws] == [(kind, f"{MANIFEST} {key}")]


def test_agents_code_is_sealed(entry):
    """Code that is in no commit is in the entry."""
    for name, content in read_code("schedcp_gym.baselines.random_search.RandomSearch").items():
        (entry / name).parent.mkdir(exist_ok=True)
        (entry / name).write_bytes(content + b"\n# mine\n")
    seal(entry, {"by": "tests"})
    assert audit(entry)[0] == []
    path = entry / "agent/random_search.py"
    path.write_text(path.read_text() + "\n# better\n")
    report = check_entry(entry, RerunSample(None), no_lab)
    assert {one.record for one in report.flaws} == {"agent/random_search.py", f"{MANIFEST} agent"}


def test_what_only_a_machine_can_tell(entry, tmp_path):
    """A figure that nothing in the entry follows from: found where the trial is run again, and named."""

    @at("evaluation")
    def idle(one):
        one["measurement"]["utilisation"] = 0.5

    tampered(entry, idle, tmp_path / "work")
    seal(entry, {"by": "an adversary"})
    assert audit(entry)[0] == []
    trial = read_runs(entry)[0].evaluations[0]["measurement"]["trial"]
    report = check_entry(entry, RerunSample(None), fresh_lab_of(trial))
    (refusal,) = report.flaws
    assert (refusal.kind, refusal.record) == (FlawKind.RERUN, f"{RUN}/record.jsonl line 2")
    assert "utilisation is 0.5, but 0." in refusal.reason


def fresh_lab_of(trial):
    """A lab that runs one trial anew, and has the others from the store: they are as they were."""

    class OnlyOne(Lab):
        def is_kept(self, one):
            return one.digest != trial

    return lambda: OnlyOne(workers=1, keep=False)


def foreign_image(entry):
    for run in (1, 2):
        entries = lines(entry, f"runs/schbench_s{run}")
        for one in entries:
            one["measurement"]["digests"]["image"] = "f" * 64
        write(entry, entries, f"runs/schbench_s{run}")
        path = entry / f"runs/schbench_s{run}/best.json"
        best = json.loads(path.read_text())
        best["digests"]["image"] = "f" * 64
        path.write_text(json.dumps(best))


def test_a_foreign_image_is_told_and_nothing_is_run(entry, tmp_path):
    tampered(entry, foreign_image, tmp_path / "work")
    seal(entry, {"by": "an adversary"})
    report = check_entry(entry, RerunSample(None), fresh_lab)
    assert report.repeated == 0
    assert {one.kind for one in report.flaws} == {FlawKind.IMAGE}
    assert "image ffffffffffff, here it is" in report.flaws[0].reason


def test_submit_refuses_what_is_no_entry_yet(runs, tmp_path):
    unended = shutil.copytree(runs / "s1", tmp_path / "runs/s1")
    summary = json.loads((unended / "summary.json").read_text())
    (unended / "summary.json").write_text(json.dumps({**summary, "ended_by": "interrupted"}))
    with pytest.raises(BadInput, match="has not ended"):
        submit([unended], tmp_path / "entries", Submission())
    edit = yaml.safe_load((unended / "config.yaml").read_text())
    edit["run"]["suite"] = "smoke"
    (unended / "summary.json").write_text(json.dumps(summary))
    (unended / "config.yaml").write_text(yaml.safe_dump(edit))
    with pytest.raises(BadInput, match="lacks the run on longtail with seed 1 of the suite smoke"):
        submit([unended], tmp_path / "entries", Submission())
    # Nothing of it is left, its policies included.
    assert [path for path in (tmp_path / "entries").rglob("*") if path.is_file()] == []
    (entry,) = submit([unended], tmp_path / "entries", Submission(without_suite=True))
    with pytest.raises(BadInput, match="--replace"):
        submit([unended], tmp_path / "entries", Submission(without_suite=True))
    assert audit(entry)[0] == []


def test_entries_of_one_name_have_a_page_each(entry, honest, tmp_path):
    shown, refused = build([honest, entry], tmp_path / "site")
    assert (shown, refused) == ([honest, entry], {})
    names = sorted(path.stem for path in (tmp_path / "site/entries").iterdir())
    assert names == [honest.name, f"{honest.name}-2"]
    assert f"entries/{honest.name}-2.html" in (tmp_path / "site/index.html").read_text()
