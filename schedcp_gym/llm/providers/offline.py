"""A stand-in for a language model: fixed rules, for ``make run`` without a key and for tests.

It plays the roles of the agents in ``baselines/``. It is told its role, reads the tools' data and never their text, and
is no measure of what a model can do.
"""

import json

from schedcp_gym.llm.providers import Answer, Prompt
from schedcp_gym.spec import BadInput


class Offline:
    """Answers by rules. The same prompt gets the same answer."""

    shown_as = "offline-rules"

    def answer(self, prompt: Prompt) -> Answer:
        """Return the next tool calls, or the answer of the prompt's role.

        Raises:
            BadInput: There are no rules for the role.
        """
        from schedcp_gym.llm.providers._offline.conversation import read  # imported only when a question comes
        from schedcp_gym.llm.providers._offline.roles import ROLES

        if prompt.role not in ROLES:
            raise BadInput(f"offline-rules has no role {prompt.role!r}, only {', '.join(ROLES)}; set llm= to a model")
        turn = ROLES[prompt.role](read(prompt))
        if isinstance(turn, list):
            return Answer(calls=turn)
        return Answer(turn if isinstance(turn, str) else json.dumps(turn, ensure_ascii=False))


PROVIDER = Offline()
