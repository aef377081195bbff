"""Blur that hides detail from the discriminator at the start of StyleGAN3-R training. StyleGAN3 App. E."""

from __future__ import annotations

import torch
from torch import Tensor

from stylegan.ops import filter2d


def blur_sigma(nimg: int, init_sigma: float, fade_kimg: float) -> float:
    """Return the width of the blur in pixels after `nimg` images: from `init_sigma` down to 0 over `fade_kimg`."""
    return max(1 - nimg / (fade_kimg * 1000), 0) * init_sigma


def blur(img: Tensor, sigma: float) -> Tensor:
    """Filter images with 2^-(i / sigma)^2 along both axes and zero padding: [N, C, H, W] -> [N, C, H, W]."""
    reach = int(3 * sigma)
    if reach == 0:
        return img
    i = torch.arange(-reach, reach + 1, dtype=torch.float32, device=img.device)
    taps = torch.exp2(-((i / sigma) ** 2))
    return filter2d(img, taps / taps.sum())
