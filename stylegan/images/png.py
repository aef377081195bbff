"""Write one image as a PNG."""

from __future__ import annotations

import os
from pathlib import Path

from torch import Tensor

from stylegan.errors import OutputError
from stylegan.files.atomic import atomic_file
from stylegan.files.paths import local_path, refuse_name_of_file
from stylegan.images.pixels import to_pil


def make_folder(folder: str | Path) -> Path:
    """Make a folder if it is missing and check that it can be written, before hours are spent on drawing.

    Raises: OutputError; ConfigError for a name that ends like a file.
    """
    path = local_path(folder)
    refuse_name_of_file(path, "images are written to a folder")
    try:
        path.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise OutputError(f"cannot write to {path}: {error.strerror}; choose another folder.") from error
    if not os.access(path, os.W_OK | os.X_OK):
        raise OutputError(f"cannot write to {path}: no permission; choose another folder.")
    return path


def save_png(image: Tensor, path: str | Path) -> None:
    """Write one image [C, H, W] uint8 as PNG, completely or not at all. Raises: OutputError, ShapeError."""
    pixels = to_pil(image)
    with atomic_file(path) as temporary:
        pixels.save(temporary, format="PNG")
