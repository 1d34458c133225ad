"""References: agents that do not learn from what they measure. Other agents are compared with them."""
