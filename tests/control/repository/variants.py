"""Many policies that are not there: variants of the library's, with other names, words and values."""

import random
import re

from schedcp_gym.control.repository import How, Parent, PolicyRecord
from schedcp_gym.control.repository.seed import library_policies

WORDS = {
    "task": "thread",
    "tasks": "threads",
    "line": "queue",
    "CPUs": "cores",
    "first": "ahead",
    "jobs": "work items",
    "wait": "stand by",
    "turn": "slot",
    "requests": "queries",
}
REMARKS = (
    "Tuned for two CPUs.",
    "Written after a run on a small virtual machine.",
    "The margin was halved since wake-ups came too late.",
    "Longer slices than its parent.",
    "Checks affinity before it takes a CPU.",
    "Falls back to its parent's order when the queue is empty.",
)


def variants(count, seed=0):
    """So many records, each with a library policy as its parent; the same for the same seed."""
    draw = random.Random(seed)
    library = library_policies()
    return [variant(draw.choice(library), number, draw) for number in range(count)]


def variant(parent, number, draw):
    name = f"{parent.name}-{draw.choice(['fast', 'lazy', 'wide', 'short', 'calm', 'v'])}-{number}"
    words = {old: new for old, new in WORDS.items() if draw.random() < 0.4}
    sentences = re.split(r"(?<=\.)\s+(?!Good|Bad)", parent.card)
    if len(sentences) > 4 and draw.random() < 0.5:
        del sentences[draw.randrange(1, 3)]
    card = " ".join(sentences).replace(" Good for:", "\n\nGood for:").replace(" Bad for:", "\nBad for:")
    card = re.sub(r"[A-Za-z]+", lambda match: words.get(match[0], match[0]), card)
    card = f"{card}\n\n{draw.choice(REMARKS)}".replace(f"{parent.name}:", f"{name}:", 1)
    source = re.sub(r"/\*.*?\*/", f"/*\n * {name}\n */", parent.source, count=1, flags=re.DOTALL)
    return PolicyRecord(
        name=name, source=source, card=card, parents=(Parent(parent.name, How.PATCHED),), author="variants"
    )
