"""What lies between an agent's tools and the control plane: client, audit log, and the environment's part."""

from schedcp_gym.run.tools.server import RunTools, open_tools

__all__ = ["RunTools", "open_tools"]
