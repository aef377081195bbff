"""Number formats and layouts that the operations need."""

from __future__ import annotations

import torch
from torch import Tensor


def wide(x: Tensor) -> Tensor:
    """Return x in float32, or as it is if it is in float64: for all that needs the range or accuracy of float32."""
    dtype = x.dtype
    return x if dtype == torch.float32 or dtype == torch.float64 else x.to(torch.float32)


def wide_dtype(dtype: torch.dtype) -> torch.dtype:
    """Return float64 for float64, and float32 for everything else."""
    return torch.float64 if dtype == torch.float64 else torch.float32


def channels_last(x: Tensor) -> Tensor:
    """Return x [N, C, H, W] in channels_last, like `x.contiguous(memory_format=...)`, which `torch.vmap` refuses."""
    return x.permute(0, 2, 3, 1).contiguous().permute(0, 3, 1, 2)
