"""The lock of a run: one process at a time writes it, since two would mix their snapshots."""

from __future__ import annotations

import os
import platform
import re
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from stylegan.errors import OutputError
from stylegan.files.lock import lock


@contextmanager
def locked(run: Path) -> Iterator[None]:
    """Keep other processes from the run folder while the block runs.

    The lock of a process that was killed is released with it. Warns once where the system or the file system has no
    locks.

    Raises: OutputError that names the process which has the run.
    """
    path = run / ".lock"
    try:
        file = path.open("a+b", buffering=0)
    except OSError as error:
        raise OutputError(
            f"cannot write {path}: {error.strerror}; make the folder writable, or copy the run."
        ) from error
    with file:
        try:
            if not lock(file, wait=False):
                yield
                return
        except BlockingIOError:
            file.seek(0)
            holder = file.read().decode() or "another process"
            raise OutputError(f"{run} is being trained by {holder}; wait until it ends, or stop it.") from None
        if not _same(file.fileno(), path):  # the holder removed the file after we opened it
            with locked(run):
                yield
            return
        with suppress(OSError):  # a run without the name of its holder is better than none
            file.truncate(0)
            file.write(f"process {os.getpid()} on {platform.node()}".encode())
        try:
            yield
        finally:
            with suppress(OSError):
                path.unlink()


def holder(run: Path) -> int | None:
    """Return the process of this machine that trains in a run; None if none does, or it cannot be known."""
    try:
        with (run / ".lock").open("r+b", buffering=0) as file:
            try:
                lock(file, wait=False)
                return None
            except BlockingIOError:
                match = re.fullmatch(r"process (\d+) on (.+)", file.read().decode())
    except (OSError, ValueError):
        return None
    return int(match[1]) if match and match[2] == platform.node() else None


def _same(descriptor: int, path: Path) -> bool:
    try:
        return os.path.samestat(os.fstat(descriptor), path.stat())
    except OSError:
        return False
