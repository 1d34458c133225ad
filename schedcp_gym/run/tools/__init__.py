"""The tools of a run: the control plane's registry, the audit log, and the environment's part."""

from schedcp_gym.run.tools.server import RunTools, open_tools

__all__ = ["RunTools", "open_tools"]
