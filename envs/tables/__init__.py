"""Tables of recorded measurements: what is measured for one, its file, and how an action finds its answer."""

from schedcp_gym.envs.tables.answers import Answers
from schedcp_gym.envs.tables.file import About, Fidelity, Table, about_as_json, read_table, write_table

__all__ = ["About", "Answers", "Fidelity", "Table", "about_as_json", "read_table", "write_table"]
