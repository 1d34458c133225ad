"""Tables of recorded measurements: the plan, the recording, the file, and the answers to actions."""

from schedcp_gym.envs.tables.answers import Answers
from schedcp_gym.envs.tables.file import About, Fidelity, Table, about_as_json, read_table, write_table

__all__ = ["About", "Answers", "Fidelity", "Table", "about_as_json", "read_table", "write_table"]
