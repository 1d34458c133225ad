"""Make BCC and perf start quickly. Guest side."""

import contextlib
import ctypes
import os
import platform
from collections.abc import Iterator

MS_BIND = 4096


def link_kernel_headers(folder: str) -> None:
    """Link the kernel's header with the BPF types into our small tree, which has the other headers that BCC needs."""
    modules = f"/lib/modules/{platform.release()}"
    for place in ("source", "build"):
        if os.path.exists(f"{modules}/{place}/include/uapi/linux/bpf.h"):
            os.symlink(f"{modules}/{place}/include/uapi", f"{folder}/uapi")
            return
    raise SystemExit(f"the image has no headers of its kernel below {modules}: BCC needs them")


@contextlib.contextmanager
def few_symbols(path: str) -> Iterator[None]:
    """Replace the kernel's list of symbols by a short one, for a while.

    BCC reads the whole list at each compilation, to find out whether some helpers exist. That takes four guest seconds.
    """
    libc = ctypes.CDLL(None, use_errno=True)
    mounted = libc.mount(path.encode(), b"/proc/kallsyms", None, MS_BIND, None) == 0
    try:
        yield
    finally:
        if mounted:
            libc.umount2(b"/proc/kallsyms", 2)
