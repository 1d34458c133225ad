"""Texts as vectors: by a model through litellm when one is configured, else by a local method that needs nothing."""

import functools
import hashlib
import itertools
import math
import os
from collections import Counter
from collections.abc import Sequence
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from schedcp_gym.control.repository.words import CONCEPTS, MARK, vocabulary
from schedcp_gym.spec import BadInput

Vectors = NDArray[np.float32]
#: The environment variable that names a model as litellm does: ``openai/text-embedding-3-small``, ``ollama/…``.
MODEL_VARIABLE = "SCHEDCP_EMBEDDING_MODEL"
#: Texts sent to a model at once.
TEXTS_AT_ONCE = 64
MODEL_TIMEOUT_S = 60.0


class Embedder(Protocol):
    """Turns texts into vectors of length 1.

    Attributes:
        identity: Changes when the vectors of the same texts would.
        dimension: Numbers in a vector.
    """

    @property
    def identity(self) -> str: ...  # noqa: D102

    @property
    def dimension(self) -> int: ...  # noqa: D102

    def embed(self, texts: Sequence[str]) -> Vectors:
        """A row for each text."""
        ...


class LocalEmbedder:
    """Hashed features: stems, pairs of stems, the concepts they stand for, and parts of words against typing errors.

    A feature's place and sign follow from its hash, so vectors are the same in every process, and a new text
    changes no other's vector.
    """

    #: Weights of the kinds of features.
    STEM, PAIR, CONCEPT, PART, COMMON = 1.0, 0.5, 1.6, 0.12, 0.25
    #: Letters in a part of a word.
    LETTERS = 4
    #: Places that a feature is added to.
    PLACES = 3
    _VERSION = 1

    dimension = 384

    @property
    def identity(self) -> str:
        """The method's version and its vocabulary."""
        table = hashlib.sha256(CONCEPTS.read_bytes()).hexdigest()[:12]
        return f"local-{self._VERSION}-{self.dimension}-{table}"

    def embed(self, texts: Sequence[str]) -> Vectors:
        """A row for each text; zeros for a text without words."""
        vectors = np.zeros((len(texts), self.dimension), dtype=np.float32)
        for vector, text in zip(vectors, texts, strict=True):
            weights = self._features(text)
            if not weights:
                continue
            hashed = [_places(feature, self.PLACES, self.dimension) for feature in weights]
            signs = np.concatenate([sign for _, sign in hashed])
            amounts = signs * np.repeat(np.fromiter(weights.values(), np.float32, len(weights)), self.PLACES)
            np.add.at(vector, np.concatenate([place for place, _ in hashed]), amounts)
        return _unit(vectors)

    def _features(self, text: str) -> dict[str, float]:
        words = vocabulary().words(text)
        counts: Counter[str] = Counter(words)
        stems = [word for word in words if not word.startswith(MARK)]
        counts.update(f"{one}+{two}" for one, two in itertools.pairwise(stems))
        weights = {feature: self._weight(feature) * (1 + math.log(count)) for feature, count in counts.items()}
        parts = Counter(itertools.chain.from_iterable(_parts(word, self.LETTERS) for word in stems))
        weights.update({f"#{part}": self.PART * (1 + math.log(count)) for part, count in parts.items()})
        return weights

    def _weight(self, feature: str) -> float:
        if feature.startswith(MARK):
            return self.CONCEPT
        if "+" in feature:
            return self.PAIR
        return self.COMMON if feature in vocabulary().common else self.STEM


@functools.lru_cache(maxsize=65536)
def _parts(word: str, letters: int) -> tuple[str, ...]:
    padded = f"<{word}>"
    return tuple(padded[at : at + letters] for at in range(len(padded) - letters + 1))


@functools.lru_cache(maxsize=65536)
def _places(feature: str, places: int, dimension: int) -> tuple[NDArray[np.int64], Vectors]:
    hashed = hashlib.blake2b(feature.encode(), digest_size=4 * places).digest()
    numbers = np.frombuffer(hashed, dtype="<u4").astype(np.int64)
    return (numbers >> 1) % dimension, np.where(numbers & 1, 1.0, -1.0).astype(np.float32)


def _unit(vectors: Vectors) -> Vectors:
    lengths = np.linalg.norm(vectors, axis=1, keepdims=True)
    unit: Vectors = np.divide(vectors, lengths, out=np.zeros_like(vectors), where=lengths > 0)
    return unit


class ModelEmbedder:
    """A model's embeddings, through litellm; the key comes from the provider's environment variable.

    Args:
        model: As litellm names it.
        options: Further arguments of ``litellm.embedding``: ``api_base`` of a server of one's own, ``dimensions`` …
    """

    def __init__(self, model: str, **options: Any) -> None:
        self.model = model
        self._options = options

    @property
    def identity(self) -> str:
        """The model's name, and what the vectors depend on beside it."""
        asked = self._options.get("dimensions")
        return f"model-{self.model}" + (f"-{asked}" if asked else "")

    @functools.cached_property
    def dimension(self) -> int:
        """Found by embedding a word."""
        return int(self.embed(["scheduler"]).shape[1])

    def embed(self, texts: Sequence[str]) -> Vectors:
        """A row for each text.

        Raises:
            BadInput: The model does not answer, or not as asked.
        """
        rows: list[list[float]] = []
        for at in range(0, len(texts), TEXTS_AT_ONCE):
            rows += self._ask(list(texts[at : at + TEXTS_AT_ONCE]))
        if not rows or not rows[0] or len({len(row) for row in rows}) != 1:
            raise BadInput(f"the embedding model {self.model} gave no vectors of one length")
        vectors = np.asarray(rows, dtype=np.float32)
        if not np.isfinite(vectors).all():
            raise BadInput(f"the embedding model {self.model} gave numbers that are not finite")
        return _unit(vectors)

    def _ask(self, texts: list[str]) -> list[list[float]]:
        os.environ.setdefault("LITELLM_LOCAL_MODEL_COST_MAP", "True")  # or importing it reaches for the network
        import litellm

        litellm.suppress_debug_info = True  # it prints advice to standard output
        try:
            answer = litellm.embedding(self.model, input=texts, timeout=MODEL_TIMEOUT_S, **self._options)
            by_index = sorted(answer.data, key=lambda item: int(item["index"]))
            rows = [list(map(float, item["embedding"])) for item in by_index]
        except Exception as error:  # noqa: BLE001  a provider may raise anything
            reason = " ".join(str(error).split())[:200]
            raise BadInput(
                f"the embedding model {self.model} can't be used: {type(error).__name__}: {reason}\n"
                f"check its key and address, or unset {MODEL_VARIABLE} for the local embedding"
            ) from None
        if len(rows) != len(texts):
            raise BadInput(f"the embedding model {self.model} gave {len(rows)} vectors for {len(texts)} texts")
        return rows


def configured_embedder() -> Embedder:
    """The model that ``$SCHEDCP_EMBEDDING_MODEL`` names, else the local method."""
    model = os.environ.get(MODEL_VARIABLE, "").strip()
    return ModelEmbedder(model) if model else LocalEmbedder()
