"""DiffAugment: color, translation and cutout for every image that the discriminator sees. Zhao et al. 2020.

In contrast to the pipe of StyleGAN2-ADA, every image gets all transformations, and nothing adapts.
"""

from __future__ import annotations

import torch
from torch import Tensor

from stylegan.augment.corruption import cut_out
from stylegan.machine.surroundings import float32_by_default, without_autocast

TRANSLATION = 1 / 8  # of the sides of an image, at most


@float32_by_default()
@without_autocast()
def diff_augment(images: Tensor, cutout: float = 0.5) -> Tensor:
    """Change color, position and a rectangle of each image, with its own random values from torch's generator.

    Args:
        images: [N, C, H, W] in [-1, 1]; gray, RGB, or RGB with alpha, whose color alone is changed.
        cutout: sides of the rectangle that becomes gray, as a fraction of those of the image.
    Returns: the same shape; values may leave [-1, 1]. Differentiable any number of times.
    """
    n, device = len(images), images.device
    brightness, saturation, contrast = torch.rand([3, n, 1, 1, 1], device=device, dtype=images.dtype)
    color = recolor(images[:, :3], brightness - 0.5, saturation * 2, contrast + 0.5)
    images = torch.cat([color, images[:, 3:]], 1)
    images = translate(images, *(_shift(n, side, device) for side in images.shape[2:]))
    return cut_out(images, torch.rand([n, 2], device=device), torch.full([n], float(cutout), device=device))


def recolor(images: Tensor, brightness: Tensor, saturation: Tensor, contrast: Tensor) -> Tensor:
    """Add to all values, scale their distances from the gray of the pixel, then those from the mean of the image.

    images [N, C, H, W], the others [N, 1, 1, 1] -> [N, C, H, W]
    """
    images = images + brightness
    gray = images.mean(1, keepdim=True)
    images = gray + saturation * (images - gray)
    mean = images.mean([1, 2, 3], keepdim=True)
    return mean + contrast * (images - mean)


def translate(images: Tensor, down: Tensor, right: Tensor) -> Tensor:
    """Move each image by whole pixels, and fill the rest with zeros: images [N, C, H, W], down and right [N] int64."""
    for axis, shift in ((2, down), (3, right)):
        side = images.shape[axis]
        source = torch.arange(side, device=images.device) - shift[:, None]  # [N, side]
        inside = (source >= 0) & (source < side)
        shape = [len(images), 1, side, 1] if axis == 2 else [len(images), 1, 1, side]
        index = source.remainder(side).view(shape).expand(images.shape)
        images = images.gather(axis, index) * inside.view(shape)
    return images


def _shift(n: int, side: int, device: torch.device) -> Tensor:
    """Return n whole numbers of pixels in both directions, up to `TRANSLATION` of a side."""
    most = int(side * TRANSLATION + 0.5)
    return torch.randint(-most, most + 1, [n], device=device)
