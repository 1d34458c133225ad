"""Start processes that end with the one that started them."""

import os


def dying_with_parent(signal: str, *options: str) -> list[str]:
    """Return the words before a command that make it get a signal when this process ends, however it ends.

    Args:
        signal: The signal's name, as ``setpriv --pdeathsig`` expects it.
        options: Further options of ``setpriv``.
    """
    # The kernel sends no signal for a death before the request. So the command runs only if its parent is still ours.
    still_ours = f'[ "$PPID" = {os.getpid()} ] && exec "$@"'
    return ["setpriv", "--pdeathsig", signal, *options, "--", "sh", "-c", still_ours, "sh"]
