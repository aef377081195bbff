"""Pixel norm: scale every feature vector to unit mean square."""

from __future__ import annotations

from torch import Tensor

from stylegan.ops.number_formats import wide


def pixel_norm(x: Tensor, *, dim: int = 1, eps: float = 1e-8) -> Tensor:
    """Return x / sqrt(mean(x**2) + eps), with the mean over `dim`; any shape and float dtype.

    Also normalizes z and embedded labels before the mapping network.
    Source: ProGAN Sec. 4.2.
    """
    square = wide(x).square()  # fp16 can hold neither eps nor 256**2
    return x * (square.mean(dim, keepdim=True) + eps).rsqrt().to(x.dtype)
