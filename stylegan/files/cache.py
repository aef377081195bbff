"""The cache folder."""

from __future__ import annotations

import os
from pathlib import Path


def default_cache() -> Path:
    """The cache folder: `$STYLEGAN_CACHE`, else `~/.cache/stylegan`. Everything in it is safe to delete."""
    return Path(os.environ.get("STYLEGAN_CACHE") or Path.home() / ".cache" / "stylegan")
