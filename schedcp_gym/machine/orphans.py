"""Processes that don't outlive the one that started them."""

import os


def dying_with_parent(signal: str, *options: str) -> list[str]:
    """Commands before one that gets a signal when this process ends, however it ends.

    Args:
        signal: Its name, as ``setpriv --pdeathsig`` wants it.
        options: Further ones of ``setpriv``.
    """
    # The kernel tells of no death that came before the request: a parent that is another one by then was too quick.
    still_ours = f'[ "$PPID" = {os.getpid()} ] && exec "$@"'
    return ["setpriv", "--pdeathsig", signal, *options, "--", "sh", "-c", still_ours, "sh"]
