"""Keeps a conversation with tools within a number of tokens."""

from collections.abc import Callable, Sequence

from schedcp_gym.llm import Message, tokens

#: To what share of the limit a conversation is cut: seldom and much, so that a provider's cache of prompts is of use.
CUT_TO = 0.5


class Window:
    """Leaves out the oldest rounds of a conversation once it has grown too long.

    A round is an answer of the model with all that came after it until its next one, so that no call loses its
    results. The beginning (the task) and the last round stay.
    """

    def __init__(self, limit: int, head: int, note: Callable[[int], Message]) -> None:
        """Sets the limit.

        Args:
            limit: Tokens that the messages may have.
            head: Messages at the beginning that stay.
            note: Makes the message that stands for what is left out; its argument is the number of rounds.
        """
        self.limit = limit
        self._head = head
        self._note = note
        self._left_out = 0

    def shorten(self, talk: Sequence[Message]) -> list[Message]:
        """The conversation, or what is kept of it."""
        messages = list(talk)
        if tokens.count_request(messages) <= self.limit:
            return messages
        head = messages[: self._head]
        rounds = _rounds(messages[self._head + bool(self._left_out) :])
        sizes = [tokens.count_request(one) for one in rounds]
        room = CUT_TO * self.limit - tokens.count_request(head)
        gone = next((n for n in range(len(rounds)) if sum(sizes[n:]) <= room), max(0, len(rounds) - 1))
        self._left_out += gone
        note = [self._note(self._left_out)] if self._left_out else []
        return [*head, *note, *(message for one in rounds[gone:] for message in one)]


def _rounds(messages: Sequence[Message]) -> list[list[Message]]:
    rounds: list[list[Message]] = []
    for message in messages:
        if message["role"] == "assistant" or not rounds:
            rounds.append([])
        rounds[-1].append(message)
    return rounds
