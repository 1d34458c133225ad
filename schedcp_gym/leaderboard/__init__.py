"""The leaderboard: entries that anyone can check by running their trials again and comparing for equality."""

from schedcp_gym.leaderboard.check import Report, check_entry
from schedcp_gym.leaderboard.entry import read_manifest
from schedcp_gym.leaderboard.refusal import Kind, Refusal
from schedcp_gym.leaderboard.submit import submit

__all__ = ["Kind", "Refusal", "Report", "check_entry", "read_manifest", "submit"]
