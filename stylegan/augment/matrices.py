"""Homogeneous matrices for batches of transformations, and separable linear maps of images."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor

Entry = float | Tensor  # one value for all images, or [N]


def matrix(rows: Sequence[Sequence[Entry]], device: torch.device) -> Tensor:
    """Build float32 matrices [..., len(rows), len(rows[0])] from numbers and tensors of shape [...]."""
    # torch.full runs on the device; torch.tensor would copy from the host and wait
    entries = [e if isinstance(e, Tensor) else torch.full([], float(e), device=device) for row in rows for e in row]
    return torch.stack(torch.broadcast_tensors(*entries), -1).unflatten(-1, (len(rows), len(rows[0])))


def translation(x: Entry, y: Entry, device: torch.device) -> Tensor:
    """Return [..., 3, 3] that translates points of the plane by (x, y)."""
    return matrix([[1, 0, x], [0, 1, y], [0, 0, 1]], device)


def scaling(x: Entry, y: Entry, device: torch.device) -> Tensor:
    """Return [..., 3, 3] that scales the axes of the plane by x and y."""
    return matrix([[x, 0, 0], [0, y, 0], [0, 0, 1]], device)


def rotation(theta: Tensor) -> Tensor:
    """Return [..., 3, 3] that rotates the plane by theta radians, from x towards y."""
    cos, sin = theta.cos(), theta.sin()
    return matrix([[cos, -sin, 0], [sin, cos, 0], [0, 0, 1]], theta.device)


def along_both_axes(images: Tensor, columns: Tensor, rows: Tensor) -> Tensor:
    """Return rows @ X @ columns.T for each channel X: a separable linear map, whose derivatives are matrix products.

    images [N, C, H, W], columns [W2, W] or [N, 1, W2, W], rows [H2, H] or [N, 1, H2, H]  ->  [N, C, H2, W2]
    """
    return rows.to(images.dtype) @ (images @ columns.to(images.dtype).mT)
