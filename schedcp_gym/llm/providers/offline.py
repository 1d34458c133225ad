"""A stand-in for a language model: rules instead of weights. It reads what a model would read, and nothing else.

What it knows of scheduling is in ``_offline/rules/``; what it knows of a workload, of policies and of results comes out
of the conversation. So it serves whoever has no key, and tests; it is no measure of what a model can do.
"""

from schedcp_gym.llm.providers import Answer, Prompt


class Offline:
    """Answers by rules. Same prompt, same answer."""

    shown_as = "offline-rules"

    def answer(self, prompt: Prompt) -> Answer:
        """Answers: the next tool calls, or what the schema asks for."""
        from schedcp_gym.llm.providers._offline.answer import answer  # late: yaml and rules only when it is asked

        return answer(prompt)


PROVIDER = Offline()
