"""Progressive growing: which resolution a network works at, and how the next one fades in. ProGAN Sec. 2, Fig. 2.

`lod` is 0 at full resolution and one more for each halving. Between two whole numbers the image of the higher
resolution is mixed with that of the lower one. Networks take and give images of full size all the while.
"""

from __future__ import annotations

import torch.nn.functional as F
from torch import Tensor


def level_and_fade(lod: Tensor, num_levels: int) -> tuple[int, Tensor | None]:
    """The whole part of `lod`, as the number of highest resolutions that are left out, and the share of the lower
    resolution in the image: a scalar in (0, 1), or None where nothing fades. There are `num_levels` resolutions."""
    if lod.is_meta:  # sizes without values are asked for: the largest
        return 0, None
    level = min(max(int(lod), 0), num_levels - 1)
    fade = (lod - level).clamp(0, 1)
    return level, fade if level < num_levels - 1 and float(fade) > 0 else None


def enlarge(img: Tensor, levels: int = 1) -> Tensor:
    """Repeat pixels: [N, C, H, W] -> [N, C, H * 2**levels, W * 2**levels]."""
    return F.interpolate(img, scale_factor=float(2**levels), mode="nearest") if levels else img


def shrink(img: Tensor, levels: int = 1) -> Tensor:
    """Average boxes of pixels: [N, C, H, W] -> [N, C, H / 2**levels, W / 2**levels]."""
    return F.avg_pool2d(img, 2**levels) if levels else img
