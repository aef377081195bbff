"""Instance norm, alone or as adaptive instance normalization (AdaIN)."""

from __future__ import annotations

import torch
from torch import Tensor

from stylegan.ops.number_formats import wide


def instance_norm(x: Tensor, scale: Tensor | None = None, shift: Tensor | None = None, *, eps: float = 1e-8) -> Tensor:
    """Return (x - mean) / sqrt(variance + eps) * scale + shift, with the statistics of each channel of each image.

    Args:
        x: [N, C, H, W], any float dtype; the result has the same. The computation is in float32 or float64.
        scale, shift: [N, C] float32 styles; None means 1 and 0.
    Returns: [N, C, H, W] in channels_last.
    Source: StyleGAN Eq. 1.
    """
    rows = wide(x.permute(0, 2, 3, 1))
    rows = rows - _mean(rows)
    factor = (_mean(rows.square()) + eps).rsqrt()
    factor = factor * scale[:, None, None] if scale is not None else factor
    y = torch.addcmul(shift[:, None, None], rows, factor) if shift is not None else rows * factor
    return y.to(x.dtype).permute(0, 3, 1, 2)


def _mean(rows: Tensor) -> Tensor:
    """Mean over all pixels, [N, H, W, C] -> [N, 1, 1, C]; first over each row, which fits in the cache."""
    return rows.mean(2, keepdim=True).mean(1, keepdim=True)
