"""Image-space corruptions: noise and cutout. StyleGAN2-ADA App. B, transformations 15 and 16."""

from __future__ import annotations

import torch
from torch import Tensor


def add_noise(images: Tensor, sigma: Tensor) -> Tensor:
    """Add Gaussian noise to every pixel and channel: images [N, C, H, W], sigma [N] -> [N, C, H, W]."""
    return images + torch.randn_like(images) * sigma[:, None, None, None].to(images.dtype)


def cut_out(images: Tensor, center: Tensor, size: Tensor) -> Tensor:
    """Set a rectangle to zero (mid-gray).

    Args:
        images: [N, C, H, W].
        center: [N, 2] (x, y) as fractions of width and height.
        size: [N] sides of the rectangle as a fraction of the sides of the image; 0 cuts nothing.
    Returns: [N, C, H, W]
    """
    h, w = images.shape[2:]
    x = (torch.arange(w, device=images.device) + 0.5) / w
    y = (torch.arange(h, device=images.device) + 0.5) / h
    half = size[:, None] / 2
    outside_x = (x - center[:, :1]).abs() >= half  # [N, W]
    outside_y = (y - center[:, 1:]).abs() >= half  # [N, H]
    keep = outside_x[:, None, :] | outside_y[:, :, None]
    return images * keep[:, None].to(images.dtype)
