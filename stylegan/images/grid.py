"""Grids: many images on one sheet."""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence

import torch
from torch import Tensor

from stylegan.errors import ConfigError, ShapeError
from stylegan.images.pixels import as_bytes
from stylegan.machine.memory import available_bytes

_SMALL = (
    1 << 20
)  # bytes of a sheet that is made without asking for the free memory, which takes as long as such a sheet
_COPIES = 2  # of a sheet while it becomes a PNG: in the order of Pillow, and in an image of Pillow


def auto_shape(n: int) -> tuple[int, int]:
    """Return (columns, rows) for n images: square or up to twice as wide as high, with few empty places."""
    root = math.isqrt(max(n - 1, 0)) + 1  # ceil(sqrt(n))
    columns = min(range(root, 2 * root), key=lambda columns: -n % columns)
    return columns, -(-n // columns)


def grid(images: Tensor | Sequence[Tensor], columns: int | None = None) -> Tensor:
    """Place images side by side, row by row, in as many rows as they need.

    Args:
        images: [N, C, H, W], or N tensors [C, H, W] of one shape; uint8, or floats in [-1, 1].
        columns: images in a row; None chooses as `auto_shape` does.
    Returns: [C, rows * H, columns * W] uint8 on the CPU; places without an image are black.
    Raises: ConfigError for no image or fewer than 1 column, ShapeError for images of different shapes.
    """
    if isinstance(images, Tensor) and images.ndim != 4:
        raise ShapeError(f"a grid takes images [N, C, H, W], got {list(images.shape)}; pass one image as image[None].")
    if columns is None:
        columns = auto_shape(len(images))[0]
    if columns < 1:
        raise ConfigError(f"a grid needs at least 1 column, got {columns}.")
    return make_grid(images, columns, max(1, -(-len(images) // columns)))


def make_grid(images: Iterable[Tensor], columns: int, rows: int) -> Tensor:
    """Place image k at row k // columns and column k % columns; places without an image stay black.

    Args:
        images: at least one and at most rows * columns, each [C, H, W] and of one shape, uint8 or floats in
            [-1, 1]. They are taken one at a time, so a stream needs no more memory than the sheet.
    Returns: [C, rows * H, columns * W] uint8 on the CPU.
    Raises: ConfigError for no image or too many, or if the sheet is larger than the memory that is free; ShapeError for
        images of different shapes.
    """
    sheet = None
    for k, image in enumerate(images):
        if k >= rows * columns:
            raise ConfigError(f"a {columns}x{rows} grid holds {rows * columns} images, got more; make it larger.")
        image = as_bytes(image)
        if sheet is None and image.ndim == 3:
            _require_memory(image, columns, rows)
            c, h, w = image.shape
            sheet = torch.zeros(c, rows * h, columns * w, dtype=torch.uint8, device="cpu")
        if sheet is None or image.shape != (c, h, w):
            expected = "[C, H, W]" if sheet is None else str([c, h, w])
            raise ShapeError(f"a grid takes images of one shape {expected}, got {list(image.shape)}.")
        y, x = k // columns * h, k % columns * w
        sheet[:, y : y + h, x : x + w] = image
    if sheet is None:
        raise ConfigError("a grid needs at least one image, got none.")
    return sheet


def _require_memory(image: Tensor, columns: int, rows: int) -> None:
    """Raise ConfigError if a sheet of such images, and the copies that writing a PNG takes, do not fit into memory."""
    size = columns * rows * image.nbytes
    free = available_bytes(torch.device("cpu")) if size > _SMALL else None
    if free is not None and size * (1 + _COPIES) > free:
        _, h, w = image.shape
        raise ConfigError(
            f"a sheet of {columns}x{rows} images of {w}x{h} has {size / 1e9:.1f} GB, and writing it takes "
            f"{size * (1 + _COPIES) / 1e9:.1f} GB of memory, but {free / 1e9:.1f} GB are free; make it smaller."
        )
