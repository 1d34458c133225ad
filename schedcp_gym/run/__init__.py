"""Run one agent on one task with one seed (``python -m schedcp_gym.run +agent=…``), and read the folders of runs."""
