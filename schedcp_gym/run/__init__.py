"""``python -m schedcp_gym.run +agent=…``: one agent on one task with one seed, recorded and summed up."""
