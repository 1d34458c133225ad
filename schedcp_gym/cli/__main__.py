"""``python -m schedcp_gym.cli`` is ``schedcp-gym``."""

from schedcp_gym.cli import main

main()
