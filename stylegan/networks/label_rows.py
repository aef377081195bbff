"""Labels in the forms in which callers have them: rows of c, class numbers, or one label for all images."""

from __future__ import annotations

from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor

from stylegan.errors import ConfigError, ShapeError
from stylegan.networks.network import as_numbers, shape_of


def label_rows(c: Any, c_dim: int, n: int | None, what: str = "network") -> Tensor | None:
    """Return the labels of n images as rows [n, c_dim], None where `c_dim` is 0; on the device and in the format of c.

    Args:
        c: [n, c_dim] rows; whole numbers [n], which are classes; or one label for all images: a class number, [c_dim]
            floats, or [1, c_dim]. None or [n, 0] where `c_dim` is 0.
        n: number of images; None if it is that of the labels.
        what: the receiver, for messages.
    Raises: ShapeError for another shape, ConfigError for a class that does not exist.
    """
    c = None if c is None else as_numbers(c)
    if c_dim == 0:
        if c is not None and (c.ndim == 0 or c.shape[-1] != 0):
            raise ShapeError(f"this {what} is unconditional and takes c=None, got {shape_of(c)}.")
        return None
    expected = f"this {what} is conditional and takes labels c [N, {c_dim}]"
    if c is None:
        raise ShapeError(f"{expected}, got None.")
    whole = not (c.is_floating_point() or c.is_complex() or c.dtype == torch.bool)
    if whole and c.ndim < 2:
        c = _one_hot(c.reshape(-1), c_dim)
    elif c.ndim == 1 and len(c) == c_dim:
        c = c[None]
    if c.ndim != 2 or c.shape[1] != c_dim:
        raise ShapeError(f"{expected}, got {shape_of(c)}.")
    if n is None or c.shape[0] == n:
        return c
    if c.shape[0] != 1:
        raise ShapeError(f"{expected} with one row for each of the {n} images, got {c.shape[0]} rows.")
    return c.expand(n, -1)


def _one_hot(classes: Tensor, c_dim: int) -> Tensor:
    """classes [N] -> [N, c_dim] float32"""
    if classes.numel() and (int(classes.min()) < 0 or int(classes.max()) >= c_dim):
        wrong = int(classes.min()) if int(classes.min()) < 0 else int(classes.max())
        raise ConfigError(f"this network has the classes 0..{c_dim - 1}, got class {wrong}.")
    return F.one_hot(classes.long(), c_dim).to(torch.float32)
