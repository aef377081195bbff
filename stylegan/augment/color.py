"""Color transformations: one affine map of RGB per image. StyleGAN2-ADA App. B, transformations 9-13.

Matrices are [N, 4, 4] and act on (r, g, b, 1). The gray axis is v = (1, 1, 1)/sqrt(3).
"""

from __future__ import annotations

import math

import torch
import torch.nn.functional as F
from torch import Tensor

from stylegan.augment.matrices import matrix
from stylegan.errors import ShapeError


def brightness(b: Tensor) -> Tensor:
    """Add b [N] to every channel."""
    return matrix([[1, 0, 0, b], [0, 1, 0, b], [0, 0, 1, b], [0, 0, 0, 1]], b.device)


def contrast(c: Tensor) -> Tensor:
    """Multiply every channel by c [N]."""
    return matrix([[c, 0, 0, 0], [0, c, 0, 0], [0, 0, c, 0], [0, 0, 0, 1]], c.device)


def luma_flip(i: Tensor) -> Tensor:
    """Negate the luma where i [N] is 1 and keep the chroma: reflect at the plane through 0 normal to v."""
    return torch.eye(4, device=i.device) - 2 * _vv(i.device) * i[:, None, None]


def hue(theta: Tensor) -> Tensor:
    """Rotate by theta [N] radians around v with Rodrigues' formula."""
    device = theta.device
    cross = matrix([[0, -1, 1, 0], [1, 0, -1, 0], [-1, 1, 0, 0], [0, 0, 0, 0]], device) / math.sqrt(3)
    chroma = _rgb(device) - _vv(device)
    cos, sin = theta.cos()[:, None, None], theta.sin()[:, None, None]
    return torch.eye(4, device=device) - chroma + cos * chroma + sin * cross


def saturation(s: Tensor) -> Tensor:
    """Multiply the chroma by s [N]."""
    chroma = _rgb(s.device) - _vv(s.device)
    return torch.eye(4, device=s.device) + (s[:, None, None] - 1) * chroma


def recolor(images: Tensor, C: Tensor) -> Tensor:
    """Apply one color matrix to every image; the result is not clamped.

    Args:
        images: [N, 1, H, W] gray, [N, 3, H, W] RGB, or [N, 4, H, W] RGBA; alpha is unchanged.
        C: [N, 4, 4] float32. A gray image uses the mean of the three rows, as if r = g = b.
    Returns: a tensor with the shape of `images`.
    Raises: ShapeError for other numbers of channels.
    """
    C = C.to(images.dtype)
    channels = images.shape[1]
    if channels == 1:
        row = C[:, :3].mean(1)  # [N, 4]
        return images * row[:, :3].sum(1)[:, None, None, None] + row[:, 3, None, None, None]
    if channels == 4:
        return torch.cat([recolor(images[:, :3], C), images[:, 3:]], 1)
    if channels != 3:
        raise ShapeError(
            f"color augmentation takes images of 1, 3 or 4 channels, got {channels}; use the pipe bg for others."
        )
    rgb = C[:, :3, :3] @ images.flatten(2) + C[:, :3, 3:]
    return rgb.unflatten(2, images.shape[2:])


def _vv(device: torch.device) -> Tensor:
    """Return v v^T, the projection on the gray axis: [4, 4]."""
    return F.pad(torch.full([3, 3], 1 / 3, device=device), [0, 1, 0, 1])


def _rgb(device: torch.device) -> Tensor:
    """Return the identity on the three color channels: [4, 4]."""
    return F.pad(torch.eye(3, device=device), [0, 1, 0, 1])
