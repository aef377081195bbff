"""Fixed sets of features, and subjects that compare them."""

from __future__ import annotations

import torch


def gaussian(n: int, width: int, *, seed: int = 0, mean: float = 0.0, scale: float = 1.0) -> torch.Tensor:
    generator = torch.Generator().manual_seed(seed)
    return torch.randn(n, width, generator=generator) * scale + mean
