"""The trial store: every measurement by content; the same trial on the same image is never run twice."""

from schedcp_gym.lab.store.entry import Config, Entry
from schedcp_gym.lab.store.store import Filter, TrialStore, shared_store

__all__ = ["Config", "Entry", "Filter", "TrialStore", "shared_store"]
