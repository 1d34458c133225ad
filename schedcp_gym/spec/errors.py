"""Errors that a user can fix. The command line prints their text and nothing else."""

from pydantic import ValidationError


class SchedcpError(Exception):
    """Something went wrong that the user can fix; the text says how in one or two lines.

    Attributes:
        exit_status: The exit status of the command line.
    """

    exit_status = 1


class BadInput(SchedcpError):
    """A name does not exist, or a value is not allowed."""

    exit_status = 2


class MissingTool(SchedcpError):
    """A program, a package or disk space is missing."""

    exit_status = 3


def first_fault(error: ValidationError) -> str:
    """Return the first fault that a check found, in one line: the field, if there is one, and the reason."""
    first = error.errors()[0]
    where = ".".join(map(str, first["loc"]))
    what = first["msg"].removeprefix("Value error, ")
    return f"{where}: {what}" if where else what
