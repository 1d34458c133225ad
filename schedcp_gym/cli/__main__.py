"""Run ``python -m schedcp_gym.cli``, which is the same as ``schedcp-gym``."""

from schedcp_gym.cli import main

main()
