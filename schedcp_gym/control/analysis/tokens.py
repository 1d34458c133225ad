"""How many tokens a text costs a model."""

import functools
import importlib.util
import os
from collections.abc import Callable
from pathlib import Path


def count(text: str) -> int:
    """Tokens of a text in the ``cl100k_base`` vocabulary: within some per cent of what other models count."""
    return len(_encoder()(text))


@functools.cache
def _encoder() -> Callable[[str], list[int]]:
    # tiktoken would fetch the vocabulary from the network; litellm carries it, and is too slow to be imported for that.
    package = importlib.util.find_spec("litellm")
    if package and package.origin:
        bundled = Path(package.origin).parent / "litellm_core_utils" / "tokenizers"
        os.environ.setdefault("TIKTOKEN_CACHE_DIR", str(bundled))
    import tiktoken

    encoding = tiktoken.get_encoding("cl100k_base")
    return lambda text: encoding.encode(text, disallowed_special=())
