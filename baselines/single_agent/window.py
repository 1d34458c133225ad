"""Keep a conversation with tools within a number of tokens."""

from collections.abc import Callable, Sequence

from schedcp_gym.llm import Message, tokens

#: Share of the limit that a conversation is cut to. Few large cuts let a provider's cache of prompts work.
CUT_TO = 0.5


class Window:
    """Leaves out the oldest rounds of a conversation that has grown too long.

    A round is an answer of the model with everything up to its next answer, so that no call loses its results. The
    beginning (the task) and the last round stay.
    """

    def __init__(self, limit: int, head: int, note: Callable[[int], Message]) -> None:
        """Store the limit.

        Args:
            limit: Limit of the messages' tokens.
            head: Number of messages at the beginning that stay.
            note: Returns the message that replaces a number of rounds.
        """
        self.limit = limit
        self._head = head
        self._note = note
        self._left_out = 0

    def shorten(self, talk: Sequence[Message]) -> list[Message]:
        """Return the conversation, or the part of it that is kept."""
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
