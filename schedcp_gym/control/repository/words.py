"""A text's words as the search knows them: stems, and the concepts of scheduling that they stand for."""

import functools
import re
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import yaml

CONCEPTS = Path(__file__).with_name("concepts.yaml")
#: What a concept's name begins with among words: no word of a text does.
MARK = "~"
_WORD = re.compile(r"[a-z0-9]+(?:['/-][a-z0-9]+)*")
_ENDINGS = ("ations", "ation", "ings", "ing", "edly", "ed", "ers", "er", "est", "ies", "es", "ly", "s", "e", "y")
_SHORTEST_STEM = 3


@functools.lru_cache(maxsize=65536)
def stem(word: str) -> str:
    """A word without its ending: the same for ``prioritise`` and ``prioritizing``, ``queue`` and ``queues``."""
    word = word.split("'")[0].replace("isation", "ise").replace("ization", "ise").replace("iz", "is")
    for ending in _ENDINGS:
        if word.endswith(ending) and len(word) - len(ending) >= _SHORTEST_STEM and not word.endswith("ss"):
            word = word[: -len(ending)]
            break
    if word.endswith("e") and len(word) > _SHORTEST_STEM:
        word = word[:-1]
    if word[-1] == word[-2:-1] and len(word) > _SHORTEST_STEM:
        word = word[:-1]  # running, hogged
    return word


@dataclass(frozen=True)
class Vocabulary:
    """The concepts and the words that count less, as ``concepts.yaml`` has them.

    Attributes:
        phrases: First stem → (phrase as stems, concept), longest phrases first.
        common: Stems that say little.
        small: Words left out.
        spellings: Spelling → the one that is used.
    """

    phrases: dict[str, list[tuple[tuple[str, ...], str]]]
    common: frozenset[str]
    small: frozenset[str]
    spellings: dict[str, str]

    def stems(self, text: str) -> list[str]:
        """A text's stems in order, small words left out; words with a hyphen as their parts."""
        found = []
        for word in _WORD.findall(text.lower().replace("_", " ")):
            whole = self.spellings.get(word)
            for part in [whole] if whole else re.split("[/-]", word):
                known = self.spellings.get(part, part)
                if known not in self.small:
                    found.append(stem(known))
        return found

    def concepts(self, stems: Sequence[str]) -> list[str]:
        """The concepts that stems in order hold, each as often as one of its phrases is there."""
        found = []
        for at, first in enumerate(stems):
            known = set()
            for phrase, concept in self.phrases.get(first, ()):
                if concept not in known and tuple(stems[at : at + len(phrase)]) == phrase:
                    known.add(concept)
                    found.append(MARK + concept)
        return found

    def words(self, text: str) -> list[str]:
        """Stems and concepts, sentence by sentence: no phrase spans two."""
        found = []
        for sentence in re.split(r"[.;:!?]\s|\n\n", text):
            stems = self.stems(sentence)
            found += stems + self.concepts(stems)
        return found


@functools.cache
def vocabulary() -> Vocabulary:
    """The vocabulary that comes with the package."""
    declared = yaml.safe_load(CONCEPTS.read_text())
    bare = Vocabulary({}, frozenset(), frozenset(declared["small"]), dict(declared["spellings"]))
    phrases: dict[str, list[tuple[tuple[str, ...], str]]] = {}
    for concept, texts in declared["concepts"].items():
        for text in texts:
            stems = tuple(bare.stems(str(text)))
            if stems:
                phrases.setdefault(stems[0], []).append((stems, concept))
    for known in phrases.values():
        known.sort(key=lambda pair: (-len(pair[0]), pair))
    common = frozenset(stem(bare.spellings.get(word, word)) for word in declared["common"])
    return Vocabulary(phrases, common, bare.small, bare.spellings)
