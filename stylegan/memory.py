"""Memory of the process."""

from __future__ import annotations

import ctypes
import sys

_M_TRIM_THRESHOLD, _M_MMAP_MAX = -1, -4  # glibc's malloc.h


def keep_freed_memory() -> bool:
    """Let the C library keep what tensors free, for the next ones, instead of returning it to the system.

    By default every large tensor is mapped anew, and the system fills it with zeros page by page: on a CPU that
    takes several times as long as computing it. This changes the whole process, so only programs call it, not
    importing. Returns whether the C library took it (glibc does).
    """
    if not sys.platform.startswith("linux"):
        return False
    mallopt = getattr(ctypes.CDLL(None), "mallopt", None)
    return bool(mallopt and mallopt(_M_MMAP_MAX, 0) and mallopt(_M_TRIM_THRESHOLD, -1))
