"""Agents: programs that search for a policy. Each has a file ``configs/agent/<name>.yaml``."""

from schedcp_gym.baselines.discovery import agent_names, agent_summary

__all__ = ["agent_names", "agent_summary"]
