"""Vectors of texts, made by a language model's provider through litellm. Without a configured model there are none."""

import functools
import os
from collections.abc import Sequence
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from schedcp_gym.spec import BadInput

Vectors = NDArray[np.float32]
#: The environment variable with a model's name, as litellm writes it: ``openai/text-embedding-3-small``, ``ollama/…``.
MODEL_VARIABLE = "SCHEDCP_EMBEDDING_MODEL"
#: Number of texts in one request to a model.
TEXTS_AT_ONCE = 64
MODEL_TIMEOUT_S = 60.0


class Embedder(Protocol):
    """Turns texts into vectors of length 1.

    Attributes:
        identity: Names the method. It is another one if the vectors of the same texts are others.
        dimension: Numbers in a vector.
    """

    @property
    def identity(self) -> str: ...  # noqa: D102

    @property
    def dimension(self) -> int: ...  # noqa: D102

    def embed(self, texts: Sequence[str]) -> Vectors:
        """Return the vectors, of shape ``(len(texts), dimension)``."""
        ...


class ModelEmbedder:
    """Embeddings of a model, through litellm. The key comes from the provider's environment variable.

    Args:
        model: The model's name, as litellm writes it.
        options: Further arguments of ``litellm.embedding``, such as ``api_base`` or ``dimensions``.
    """

    def __init__(self, model: str, **options: Any) -> None:
        self.model = model
        self._options = options

    @property
    def identity(self) -> str:
        """Return the model's name, with the number of dimensions if it was set."""
        asked = self._options.get("dimensions")
        return f"model-{self.model}" + (f"-{asked}" if asked else "")

    @functools.cached_property
    def dimension(self) -> int:
        """Return the numbers in a vector. The first call embeds a word to find out."""
        return int(self.embed(["scheduler"]).shape[1])

    def embed(self, texts: Sequence[str]) -> Vectors:
        """Return the vectors, of shape ``(len(texts), dimension)``.

        Raises:
            BadInput: The model does not answer, or its answer does not have one finite vector for each text.
        """
        rows: list[list[float]] = []
        for at in range(0, len(texts), TEXTS_AT_ONCE):
            rows += self._ask(list(texts[at : at + TEXTS_AT_ONCE]))
        if not rows or not rows[0] or len({len(row) for row in rows}) != 1:
            raise BadInput(f"the embedding model {self.model} gave no vectors of one length")
        vectors = np.asarray(rows, dtype=np.float32)
        if not np.isfinite(vectors).all():
            raise BadInput(f"the embedding model {self.model} gave numbers that are not finite")
        lengths = np.linalg.norm(vectors, axis=1, keepdims=True)
        unit: Vectors = np.divide(vectors, lengths, out=np.zeros_like(vectors), where=lengths > 0)
        return unit

    def _ask(self, texts: list[str]) -> list[list[float]]:
        os.environ.setdefault("LITELLM_LOCAL_MODEL_COST_MAP", "True")  # without it, the import downloads a list
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
                f"check its key and address, or unset {MODEL_VARIABLE} to search by words only"
            ) from None
        if len(rows) != len(texts):
            raise BadInput(f"the embedding model {self.model} gave {len(rows)} vectors for {len(texts)} texts")
        return rows


def configured_embedder() -> Embedder | None:
    """Return the model that ``$SCHEDCP_EMBEDDING_MODEL`` names; None if it is not set."""
    model = os.environ.get(MODEL_VARIABLE, "").strip()
    return ModelEmbedder(model) if model else None
