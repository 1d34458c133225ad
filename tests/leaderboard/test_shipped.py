"""The entries that come with the repository: nothing that can be seen without a machine is against one of them."""

import pytest

from schedcp_gym.leaderboard.check import audit
from schedcp_gym.leaderboard.entry import MANIFEST, read_manifest
from schedcp_gym.paths import PACKAGE

FOLDER = PACKAGE.parent / "results" / "leaderboard"
ENTRIES = sorted(path.parent for path in FOLDER.glob(f"*/{MANIFEST}"))


def test_there_are_some_on_the_standard_suite():
    assert "standard" in {read_manifest(entry)["suite"] for entry in ENTRIES}


@pytest.mark.parametrize("entry", ENTRIES, ids=lambda entry: entry.name)
def test_nothing_is_against_it(entry):
    refusals, runs = audit(entry)
    assert [str(one) for one in refusals] == []
    assert runs
