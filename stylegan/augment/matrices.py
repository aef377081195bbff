"""Homogeneous matrices of batches of transformations, and separable maps of images as matrices."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor

Entry = float | Tensor  # the same for all images, or [N]


def matrix(rows: Sequence[Sequence[Entry]], device: torch.device) -> Tensor:
    """[..., len(rows), len(rows[0])] float32 from numbers and [...] tensors."""
    # torch.full runs on the device; torch.tensor would copy from the host and wait for it
    entries = [e if isinstance(e, Tensor) else torch.full([], float(e), device=device) for row in rows for e in row]
    return torch.stack(torch.broadcast_tensors(*entries), -1).unflatten(-1, (len(rows), len(rows[0])))


def translation(x: Entry, y: Entry, device: torch.device) -> Tensor:
    """[..., 3, 3] that moves points of the plane."""
    return matrix([[1, 0, x], [0, 1, y], [0, 0, 1]], device)


def scaling(x: Entry, y: Entry, device: torch.device) -> Tensor:
    """[..., 3, 3] that scales the axes of the plane."""
    return matrix([[x, 0, 0], [0, y, 0], [0, 0, 1]], device)


def rotation(theta: Tensor) -> Tensor:
    """[..., 3, 3] that turns the plane by theta radians, x towards y."""
    cos, sin = theta.cos(), theta.sin()
    return matrix([[cos, -sin, 0], [sin, cos, 0], [0, 0, 1]], theta.device)


def along_both_axes(images: Tensor, columns: Tensor, rows: Tensor) -> Tensor:
    """Y = rows @ X @ columns.T per channel: a separable linear map, and all of its derivatives are matrix products.

    images [N, C, H, W], columns [W2, W] or [N, 1, W2, W], rows [H2, H] or [N, 1, H2, H]  ->  [N, C, H2, W2]
    """
    return rows.to(images.dtype) @ (images @ columns.to(images.dtype).mT)
