"""The cache folder."""

from __future__ import annotations

import math
import os
import shutil
from collections.abc import Iterable
from contextlib import suppress
from pathlib import Path

from stylegan.files.paths import local_path


def default_cache() -> Path:
    """The cache folder: `$STYLEGAN_CACHE`, else `~/.cache/stylegan`. Everything in it is safe to delete."""
    return local_path(os.environ.get("STYLEGAN_CACHE") or "~/.cache/stylegan")


def existing_folder(path: Path) -> Path:
    """The path itself, or the nearest folder above it that exists."""
    return next(folder for folder in (path, *path.absolute().parents) if folder.exists())


def free_bytes(folder: Path) -> float:
    """Room on the disk of a folder that exists, in bytes; infinity if the system does not say."""
    try:
        return shutil.disk_usage(folder).free
    except OSError:
        return math.inf


def bytes_of(files: Iterable[Path]) -> int:
    """Return the size of files together; those that another thread or process has removed count nothing."""
    total = 0
    for file in files:
        with suppress(FileNotFoundError):
            total += file.stat().st_size
    return total


def remove_longest_unused(folder: Path, max_bytes: int) -> None:
    """Remove the folders in `folder` that were not used for the longest time, until the rest fits in `max_bytes`.

    The time of last use is that of the folder's last change, and the newest stays whatever its size.
    """
    found = []
    for entry in folder.iterdir():
        with suppress(OSError):  # another process may have removed it
            size = sum(file.stat().st_size for file in entry.iterdir())
            found.append((entry.stat().st_mtime_ns, size, entry))
    used = sum(size for _, size, _ in found)
    for _, size, entry in sorted(found)[:-1]:
        if used <= max_bytes:
            return
        shutil.rmtree(entry, ignore_errors=True)
        used -= size
