"""The entries that come with the repository: nothing that can be seen without a machine is against one of them."""

import json
import shutil

import pytest

from schedcp_gym.leaderboard.agent_code import has_history
from schedcp_gym.leaderboard.check import audit
from schedcp_gym.leaderboard.flaw import FlawKind
from schedcp_gym.leaderboard.manifest import MANIFEST, manifest_digest, read_manifest
from schedcp_gym.leaderboard.submit import Submission, submit, unpack
from schedcp_gym.paths import PACKAGE
from schedcp_gym.run.folder import POLICIES, PolicySources

FOLDER = PACKAGE.parent / "results" / "leaderboard"
ENTRIES = sorted(path.parent for path in FOLDER.glob(f"*/{MANIFEST}"))


def test_there_are_some_on_the_standard_suite():
    assert "standard" in {read_manifest(entry)["suite"] for entry in ENTRIES}


@pytest.mark.parametrize("entry", ENTRIES, ids=lambda entry: entry.name)
def test_nothing_is_against_it(entry):
    refusals, runs = audit(entry)
    assert [str(one) for one in refusals] == []
    assert runs


def test_they_are_few_and_small_and_have_all_policies_once():
    files = [path for path in FOLDER.rglob("*") if path.is_file()]
    assert len(files) <= 4 * len(ENTRIES)
    assert sum(path.stat().st_size for path in files) <= len(ENTRIES) * 200_000
    named = {sha256 for entry in ENTRIES for sha256 in read_manifest(entry)["policies"]}
    assert set(PolicySources(FOLDER / POLICIES)) == named


def test_unpacked_and_submitted_again_it_is_the_same(tmp_path):
    """But for the agent's code, which may have changed since."""
    entry = FOLDER / "eevdf_standard"
    folders = unpack(entry, tmp_path / "runs")
    assert len(folders) == len(read_manifest(entry)["runs"])
    (again,) = submit([tmp_path / "runs"], tmp_path / "entries", Submission())
    before, now = read_manifest(entry), read_manifest(again)
    free = {"agent", "submitted", "files", "digest"}
    assert {key: now[key] for key in now if key not in free} == {key: before[key] for key in before if key not in free}


@pytest.fixture
def copy(tmp_path):
    """A copy of an entry and the policies."""
    shutil.copytree(FOLDER / POLICIES, tmp_path / POLICIES)
    return shutil.copytree(FOLDER / "library_standard", tmp_path / "library_standard")


def say(entry, **agent):
    """An adversary's manifest: another claim of the agent's code, sealed."""
    manifest = json.loads((entry / MANIFEST).read_text())
    manifest["agent"] |= agent
    (entry / MANIFEST).write_text(json.dumps({**manifest, "digest": manifest_digest(manifest)}))


def told(entry):
    return [(one.kind, one.record) for one in audit(entry)[0]]


@pytest.mark.parametrize("claim", [{"sha256": "0" * 64}, {"commit": "f" * 40}, {"commit": "HEAD"}])
def test_code_that_is_not_at_its_commit_is_refused(copy, claim):
    assert told(copy) == []
    say(copy, **claim)
    # In an archive without the history no commit can be looked up.
    can_tell = has_history() or claim == {"commit": "HEAD"}
    assert told(copy) == ([(FlawKind.AGENT, f"{MANIFEST} agent")] if can_tell else [])


@pytest.mark.parametrize("claim", [{"commit": None}, {"sha256": None}, {"commit": 7}])
def test_code_that_is_nowhere_is_refused(copy, claim):
    say(copy, **claim)
    assert told(copy) == [(FlawKind.MISSING, "agent")]


def test_a_policy_that_is_missing_changed_or_no_file_is_refused(copy):
    sha256 = read_manifest(copy)["policies"][0]
    path = copy.parent / POLICIES / f"{sha256}.bpf.c"
    source = path.read_text()
    path.write_text(source + "/* faster */\n")
    assert (FlawKind.POLICY, f"policies/{sha256}.bpf.c") in told(copy)
    path.unlink()
    missing = [one for one in audit(copy)[0] if one.kind is FlawKind.MISSING]
    assert "its policy's source is missing" in missing[0].reason
    assert missing[0].record.startswith("runs/")
    (copy / "source").write_text(source)
    path.symlink_to(copy / "source")
    refusals = [one for one in audit(copy)[0] if one.record == f"policies/{sha256}.bpf.c"]
    assert {one.kind for one in refusals} == {FlawKind.DAMAGED}
    assert "not a regular file" in refusals[0].reason
