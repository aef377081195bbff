"""Pixel norm: scale every feature vector to unit mean square."""

from __future__ import annotations

import torch
from torch import Tensor


def pixel_norm(x: Tensor, *, dim: int = 1, eps: float = 1e-8) -> Tensor:
    """Return x / sqrt(mean(x**2) + eps), with the mean over `dim`; any shape and float dtype.

    Also normalizes z and embedded labels before the mapping network.
    Source: ProGAN Sec. 4.2.
    """
    square = x.to(torch.promote_types(x.dtype, torch.float32)).square()  # fp16 can hold neither eps nor 256**2
    return x * (square.mean(dim, keepdim=True) + eps).rsqrt().to(x.dtype)
