"""Write one image, or a sheet of several, as a PNG."""

from __future__ import annotations

import os
from collections.abc import Sequence
from pathlib import Path
from typing import cast

from torch import Tensor

from stylegan.errors import OutputError
from stylegan.files.atomic import atomic_file
from stylegan.files.paths import local_path, refuse_name_of_file
from stylegan.images.grid import grid
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


def save_png(image: Tensor | Sequence[Tensor], path: str | Path) -> None:
    """Write one image as PNG, completely or not at all; several are placed side by side, see `grid`.

    Args:
        image: [C, H, W] or [N, C, H, W], or N tensors [C, H, W]; uint8, or floats in [-1, 1] as networks return them.
        path: its folder is created if it does not exist.
    Raises: OutputError, ShapeError, NonFiniteError for floats with NaN.
    """
    several = isinstance(image, list | tuple) or (isinstance(image, Tensor) and image.ndim == 4)
    pixels = to_pil(grid(image) if several else cast("Tensor", image))
    with atomic_file(path) as temporary:
        pixels.save(temporary, format="PNG")
