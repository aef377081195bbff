"""The cache folder."""

from __future__ import annotations

import math
import os
import shutil
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
