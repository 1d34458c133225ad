"""The trial store: every measurement by content; the same trial on the same image is never run twice."""

from schedcp_gym.lab.store.store import Filter, TrialStore, shared_store
from schedcp_gym.lab.store.stored import Config, Stored

__all__ = ["Config", "Filter", "Stored", "TrialStore", "shared_store"]
