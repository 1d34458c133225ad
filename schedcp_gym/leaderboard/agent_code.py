"""Identify the code of an entry's agent: by commit and digest if this repository has it, or by the files."""

import hashlib
import importlib.util
import io
import re
import subprocess
import tarfile
from collections.abc import Mapping
from pathlib import Path

from schedcp_gym.leaderboard.command import PACKAGE, family_of
from schedcp_gym.paths import PACKAGE as LIBRARY
from schedcp_gym.spec import SchedcpError
from schedcp_gym.spec.digest import digest

#: An entry's folder for code that is not in the repository, and the repository's folder of agents.
AGENT = "agent"
AGENTS = "baselines"
ROOT = LIBRARY.parent
#: Suffixes of the files of an agent's code.
CODE = (".py", ".md", ".yaml", ".json", ".c", ".h")
_COMMIT = re.compile(r"[0-9a-f]{40}")


def read_code(target: str) -> dict[str, bytes]:
    """Return the files of an agent's code by their path in an entry: its module, or its package with the prompts.

    Args:
        target: The agent's class.

    Raises:
        SchedcpError: The class does not exist.
    """
    module = target.rpartition(".")[0]
    if target.startswith(PACKAGE):  # the agent's whole package, which may have the class in a subpackage
        module = f"{PACKAGE}{family_of(target)}"
    try:
        found = importlib.util.find_spec(module)
    except (ImportError, ValueError):
        found = None
    if found is None or found.origin is None:
        raise SchedcpError(f"the agent's code is missing: {target}")
    origin = Path(found.origin)
    if origin.name != "__init__.py":
        return {f"{AGENT}/{origin.name}": origin.read_bytes()}
    package = origin.parent
    files = [path for path in sorted(package.rglob("*")) if path.suffix in CODE and path.is_file()]
    return {f"{AGENT}/{path.relative_to(package.parent).as_posix()}": path.read_bytes() for path in files}


def code_digest(files: Mapping[str, bytes]) -> str:
    """Return the SHA-256 (hex) of an agent's code."""
    return digest({name: hashlib.sha256(files[name]).hexdigest() for name in sorted(files)})


def commit_of(target: str, sha256: str, root: Path = ROOT) -> str | None:
    """Return the last commit that changed an agent's code; None if the repository has other code there.

    Args:
        target: The agent's class.
        sha256: Digest of the code.
        root: The repository.
    """
    if not target.startswith(PACKAGE):
        return None
    family = f"{AGENTS}/{family_of(target)}"
    output = _git(root, "log", "-1", "--format=%H", "HEAD", "--", family, f"{family}.py")
    commit = output.decode().strip() if output else ""
    return commit if committed_digest(target, commit, root) == sha256 else None


def committed_digest(target: str, commit: str, root: Path = ROOT) -> str | None:
    """Return the digest of an agent's code at a commit; None if the commit does not have it."""
    if not target.startswith(PACKAGE) or not is_commit(commit):
        return None
    family = f"{AGENTS}/{family_of(target)}"
    packed = _git(root, "archive", commit, f"{family}.py") or _git(root, "archive", commit, family)
    if packed is None:
        return None
    files = {}
    with tarfile.open(fileobj=io.BytesIO(packed)) as archive:
        for member in archive:
            if member.isfile() and member.name.endswith(CODE):
                content = archive.extractfile(member)
                files[f"{AGENT}/{member.name.removeprefix(f'{AGENTS}/')}"] = content.read() if content else b""
    return code_digest(files)


def is_commit(text: str) -> bool:
    """Return whether a text has the form of a commit's name."""
    return _COMMIT.fullmatch(text) is not None


def has_history(root: Path = ROOT) -> bool:
    """Return whether the whole history is available. Then a commit that cannot be found does not exist."""
    return _git(root, "rev-parse", "--is-shallow-repository") == b"false\n" and (root / ".git").exists()


def _git(root: Path, *words: str) -> bytes | None:
    try:
        done = subprocess.run(["git", "-C", str(root), *words], capture_output=True, check=False)
    except OSError:
        return None
    return done.stdout if done.returncode == 0 else None
