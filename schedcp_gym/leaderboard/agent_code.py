"""The code of an entry's agent: a commit and a digest where it is in this repository, else the files themselves."""

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

#: An entry's folder for code that is not in the repository, and where the repository has its agents.
AGENT = "agent"
AGENTS = "baselines"
ROOT = LIBRARY.parent
#: What an agent's code is made of.
CODE = (".py", ".md", ".yaml", ".json", ".c", ".h")
_COMMIT = re.compile(r"[0-9a-f]{40}")


def read_code(target: str) -> dict[str, bytes]:
    """Return an agent's code by path in an entry: its file, or all of its package with the prompts.

    Args:
        target: The agent's class.

    Raises:
        SchedcpError: The class is nowhere.
    """
    module = target.rpartition(".")[0]
    if target.startswith(PACKAGE):  # all of the agent's package, wherever in it the class is
        module = f"{PACKAGE}{family_of(target)}"
    try:
        found = importlib.util.find_spec(module)
    except (ImportError, ValueError):
        found = None
    if found is None or found.origin is None:
        raise SchedcpError(f"the agent's code is not there: {target}")
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
    """Return the commit that made an agent's code what it is; None if the repository does not have just this code.

    Args:
        target: The agent's class.
        sha256: Digest of the code.
        root: The repository.
    """
    if not target.startswith(PACKAGE):
        return None
    family = f"{AGENTS}/{family_of(target)}"
    said = _git(root, "log", "-1", "--format=%H", "HEAD", "--", family, f"{family}.py")
    commit = said.decode().strip() if said else ""
    return commit if committed_digest(target, commit, root) == sha256 else None


def committed_digest(target: str, commit: str, root: Path = ROOT) -> str | None:
    """Return the digest of an agent's code at a commit; None if the repository has no such code there."""
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
    """Return whether a text can be a commit's name."""
    return _COMMIT.fullmatch(text) is not None


def has_history(root: Path = ROOT) -> bool:
    """Return whether the repository's whole history is here, so that a commit that is not in it is nowhere."""
    return _git(root, "rev-parse", "--is-shallow-repository") == b"false\n" and (root / ".git").exists()


def _git(root: Path, *words: str) -> bytes | None:
    try:
        done = subprocess.run(["git", "-C", str(root), *words], capture_output=True, check=False)
    except OSError:
        return None
    return done.stdout if done.returncode == 0 else None
