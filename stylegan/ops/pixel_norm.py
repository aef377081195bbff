"""Pixel norm: every feature vector to unit mean square."""

from __future__ import annotations

import torch
from torch import Tensor


def pixel_norm(x: Tensor, *, dim: int = 1, eps: float = 1e-8) -> Tensor:
    """x / sqrt(mean(x**2) + eps) over `dim`, any shape. ProGAN Sec. 4.2; also what z and labels pass through."""
    square = x.to(torch.promote_types(x.dtype, torch.float32)).square()  # fp16 has neither eps nor squares from 256 on
    return x * (square.mean(dim, keepdim=True) + eps).rsqrt().to(x.dtype)
