"""Extras of the distribution: the packages that only some uses need, and the error when one is missing."""

from schedcp_gym.spec import MissingTool

#: Import name of a package → the extra that installs it. A package may come with several; the first use decides.
EXTRA_OF = {
    "litellm": "llm",
    "jsonschema": "llm",
    "tiktoken": "llm",
    "lancedb": "llm",
    "cryptography": "llm",
    "mcp": "mcp",
    "anyio": "mcp",
    "starlette": "mcp",
    "uvicorn": "mcp",
    "ray": "ray",
    "altair": "report",
    "vl_convert": "report",
    "jinja2": "report",
    "torch": "rl",
    "tree": "rl",
}


def missing_extra(error: ImportError) -> MissingTool | None:
    """Return the error that names the extra to install; None if the package is not one of an extra.

    Args:
        error: What an import raised.

    Example:
        >>> print(missing_extra(ModuleNotFoundError("No module named 'litellm'", name="litellm")))
        this needs litellm: pip install 'schedcp_gym[llm]'
    """
    package = (error.name or "").partition(".")[0]
    extra = EXTRA_OF.get(package)
    return MissingTool(f"this needs {package}: pip install 'schedcp_gym[{extra}]'") if extra else None
