"""The control plane: tools that observe schedulers and act on them, safely, for any agent.

:class:`~schedcp_gym.control.server.plane.ControlPlane` is the state over the analysis engine, the policy repository,
the verifier and deployment. Agents in this process call its tools through
:class:`~schedcp_gym.control.server.registry.ToolRegistry`, clients outside through the MCP server that
:func:`~schedcp_gym.control.server.server.build_server` returns.
"""

from schedcp_gym.control.server.plane import ControlPlane

__all__ = ["ControlPlane"]
