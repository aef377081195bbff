"""Instance norm, alone or as adaptive instance normalisation (AdaIN)."""

from __future__ import annotations

import torch
from torch import Tensor


def instance_norm(x: Tensor, scale: Tensor | None = None, shift: Tensor | None = None, *, eps: float = 1e-8) -> Tensor:
    """(x - mean) / sqrt(variance + eps) * scale + shift, over the pixels of each channel of each picture.

    Args:
        x: [N, C, H, W], any float dtype; the result has the same. Statistics are at least float32.
        scale, shift: [N, C] float32 styles; None for 1 and 0.
    Source: StyleGAN Eq. 1.
    """
    variance, mean = torch.var_mean(
        x.to(torch.promote_types(x.dtype, torch.float32)), [2, 3], unbiased=False, keepdim=True
    )
    factor = (variance + eps).rsqrt()
    if scale is not None:
        factor = factor * scale[:, :, None, None]
    y = (x - mean) * factor
    y = y + shift[:, :, None, None] if shift is not None else y
    return y.to(x.dtype)
