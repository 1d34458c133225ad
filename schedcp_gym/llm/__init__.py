"""Language models: one client for every provider, with budget, ledger and transcript. Importing this is cheap."""

from schedcp_gym.llm.chat import Message, Reply, Tool, ToolCall, ToolResult, system, tool_result, user
from schedcp_gym.llm.client import Client
from schedcp_gym.llm.config import LlmBudget, LlmConfig, Prices
from schedcp_gym.llm.errors import CallFailed, CallOutcome, LlmBudgetSpent, NotRecorded
from schedcp_gym.llm.ledger import CallEntry, Totals, read_ledger, totals, totals_by_role
from schedcp_gym.llm.prompting import prompt
from schedcp_gym.llm.tool_loop import Talk, run_tools

__all__ = [
    "CallEntry",
    "CallFailed",
    "CallOutcome",
    "Client",
    "LlmBudget",
    "LlmBudgetSpent",
    "LlmConfig",
    "Message",
    "NotRecorded",
    "Prices",
    "Reply",
    "Talk",
    "Tool",
    "ToolCall",
    "ToolResult",
    "Totals",
    "prompt",
    "read_ledger",
    "run_tools",
    "system",
    "tool_result",
    "totals",
    "totals_by_role",
    "user",
]
