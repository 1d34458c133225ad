"""Agents: whatever searches for a policy. One file each, found through ``configs/agent/<name>.yaml``."""

from schedcp_gym.baselines.discovery import agent_names, agent_summary

__all__ = ["agent_names", "agent_summary"]
