"""From trials to measurements: catalogue, compiler, cache, parallel runs."""

from schedcp_gym.lab.lab import Lab

__all__ = ["Lab"]
