"""Errors a user can act on. The command line prints their text and nothing else."""

from pydantic import ValidationError


class SchedcpError(Exception):
    """Something went wrong that the user can mend; the text says how in one or two lines.

    ``exit_status`` is what the command line returns.
    """

    exit_status = 1


class BadInput(SchedcpError):
    """The user named something that does not exist, or gave a value that is not allowed."""

    exit_status = 2


class MissingTool(SchedcpError):
    """A program, a package or space that the machine needs is not there."""

    exit_status = 3


def first_fault(error: ValidationError) -> str:
    """What a declaration's check found first, in a line: the field, if it is of one, and what is wrong."""
    first = error.errors()[0]
    where = ".".join(map(str, first["loc"]))
    what = first["msg"].removeprefix("Value error, ")
    return f"{where}: {what}" if where else what
