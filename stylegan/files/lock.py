"""Locks on open files, by the means of the system: `fcntl` on Linux and macOS, `msvcrt` on Windows."""

from __future__ import annotations

import errno
import os
import time
from typing import IO

from stylegan.files.warn_once import warn_once

_BYTE = 1 << 30  # Windows lets no other process read the byte that is locked, so it is one behind all content
_RETRY_S = 0.1


def lock(file: IO[bytes], *, wait: bool = True) -> bool:
    """Lock an open file until it is closed or this process ends, however it ends.

    Returns: True; False, after one warning, if the system or the file system has no locks.
    Raises: BlockingIOError if another process has the lock and `wait` is False.
    """
    try:
        _lock(file.fileno(), wait)
        return True
    except BlockingIOError:
        raise
    except ImportError:
        reason = "this system has no locks"
    except OSError as error:
        reason = f"the file system has no locks ({error.strerror or error})"
    warn_once(f"files are not locked, since {reason}; do not let two processes write the same folder.")
    return False


def _lock(descriptor: int, wait: bool) -> None:
    try:
        import fcntl
    except ImportError:
        _lock_on_windows(descriptor, wait)
    else:
        fcntl.flock(descriptor, fcntl.LOCK_EX if wait else fcntl.LOCK_EX | fcntl.LOCK_NB)


def _lock_on_windows(descriptor: int, wait: bool) -> None:
    import msvcrt

    while True:
        os.lseek(descriptor, _BYTE, os.SEEK_SET)
        try:
            return msvcrt.locking(descriptor, msvcrt.LK_NBLCK, 1)  # type: ignore[attr-defined]
        except OSError as error:
            if error.errno not in (errno.EACCES, errno.EDEADLK):  # of a byte that another process has locked
                raise
            if not wait:
                raise BlockingIOError(error.errno, error.strerror) from error
        finally:
            os.lseek(descriptor, 0, os.SEEK_SET)
        time.sleep(_RETRY_S)
