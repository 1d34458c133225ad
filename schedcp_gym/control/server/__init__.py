"""The control plane as an MCP server: observing and acting on schedulers, safely, for any agent.

:class:`~schedcp_gym.control.server.plane.ControlPlane` is one session's state over the analysis engine, the policy
repository, the verifier and deployment; :func:`~schedcp_gym.control.server.server.build_server` serves it.
"""

from schedcp_gym.control.server.plane import ControlPlane

__all__ = ["ControlPlane"]
