"""How many tokens a text costs a model: the counter of :mod:`schedcp_gym.llm.tokens`, under its name here."""

from schedcp_gym.llm.tokens import count

__all__ = ["count"]
