"""Policies read from files: a ``.bpf.c`` file with the local headers that it includes, or a folder."""

from pathlib import Path

from schedcp_gym.spec import BadInput
from schedcp_gym.spec.policy_files import MOST_CHARACTERS, MOST_FILES, included_names, join_files, main_file


def is_policy_path(name: str) -> bool:
    """Return whether a policy's name is meant as a path: it ends in ``.bpf.c``, or is a folder with such a file."""
    return name.endswith(".bpf.c") or ("/" in name and Path(name).is_dir())


def find_source(name: str) -> Path:
    """Return the file that a policy begins with.

    Args:
        name: The path of a file or a folder.

    Raises:
        BadInput: There is no such file, or the folder holds several and none is ``main.bpf.c``.
    """
    path = Path(name)
    if path.is_dir():
        return path / main_file({entry.name for entry in path.iterdir() if entry.is_file()})
    if not path.is_file():
        raise BadInput(f"no policy file {name!r}")
    return path


def read_policy(path: Path) -> str:
    """Return the text of a policy, with the local headers that it includes from its own folder.

    Raises:
        BadInput: A file can't be read, is empty or no text, or the policy exceeds a limit.
    """
    folder = path.parent.resolve()
    files, wanted = {path.name: _text(path)}, [path.name]
    while wanted:
        name = wanted.pop()
        for place in included_names(files[name], name):
            file = folder / place
            # A link may lead out of the folder: such a file is not the policy's.
            if place in files or not file.is_file() or not file.resolve().is_relative_to(folder):
                continue
            if len(files) == MOST_FILES:
                raise BadInput(f"{path}: the policy includes more than {MOST_FILES} files")
            files[place] = _text(file)
            wanted.append(place)
    return join_files(files, path.name)


def _text(path: Path) -> str:
    try:
        if path.stat().st_size > 4 * MOST_CHARACTERS:
            raise BadInput(f"{path}: the file has more than {MOST_CHARACTERS} characters")
        text = path.read_text(encoding="utf-8")
    except UnicodeDecodeError:
        raise BadInput(f"{path}: not a text file") from None
    except OSError as error:
        raise BadInput(f"{path} can't be read: {error.strerror}") from None
    if not text:
        raise BadInput(f"{path}: the file is empty")
    return text
