"""What makes BCC and perf start quickly. Guest side."""

import contextlib
import ctypes
import os
import platform
from collections.abc import Iterator

MS_BIND = 4096


def link_kernel_headers(folder: str) -> None:
    """Links the kernel's own types of BPF, the one header that our small tree takes from it, into the tree."""
    modules = f"/lib/modules/{platform.release()}"
    for place in ("source", "build"):
        if os.path.exists(f"{modules}/{place}/include/uapi/linux/bpf.h"):
            os.symlink(f"{modules}/{place}/include/uapi", f"{folder}/uapi")
            return
    raise SystemExit(f"the image has no headers of its kernel below {modules}: BCC needs them")


@contextlib.contextmanager
def few_symbols(path: str) -> Iterator[None]:
    """Shows a short list of the kernel's symbols for a while.

    BCC reads the whole list at each compilation, only to learn whether some helpers are there: four guest seconds.
    """
    libc = ctypes.CDLL(None, use_errno=True)
    mounted = libc.mount(path.encode(), b"/proc/kallsyms", None, MS_BIND, None) == 0
    try:
        yield
    finally:
        if mounted:
            libc.umount2(b"/proc/kallsyms", 2)
