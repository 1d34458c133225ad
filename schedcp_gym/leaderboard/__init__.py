"""Make and check entries of the leaderboard. Anyone can check an entry by running its trials again."""

from schedcp_gym.leaderboard.check import EntryCheck, check_entry
from schedcp_gym.leaderboard.flaw import Flaw, FlawKind
from schedcp_gym.leaderboard.manifest import read_manifest
from schedcp_gym.leaderboard.submit import submit

__all__ = ["EntryCheck", "Flaw", "FlawKind", "check_entry", "read_manifest", "submit"]
