"""The entries that come with the repository: every agent's, and nothing against one that needs no machine to see."""

import pytest

from schedcp_gym.baselines import agent_names
from schedcp_gym.leaderboard.check import audit
from schedcp_gym.leaderboard.entry import MANIFEST, read_manifest
from schedcp_gym.paths import PACKAGE

FOLDER = PACKAGE.parent / "results" / "leaderboard"
ENTRIES = sorted(path.parent for path in FOLDER.glob(f"*/{MANIFEST}"))


def test_every_agent_has_one_on_the_standard_suite():
    manifests = [read_manifest(entry) for entry in ENTRIES]
    assert {one["agent"]["name"] for one in manifests if one["suite"] == "standard"} == set(agent_names())


@pytest.mark.parametrize("entry", ENTRIES, ids=lambda entry: entry.name)
def test_nothing_is_against_it(entry):
    refusals, runs = audit(entry)
    assert [str(one) for one in refusals] == []
    assert len(runs) == 12
