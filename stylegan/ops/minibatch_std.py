"""Minibatch standard deviation: shows the discriminator how much the images of a batch differ."""

from __future__ import annotations

import torch
from torch import Tensor

from stylegan.errors import ShapeError


def minibatch_std(x: Tensor, group_size: int | None = 4, num_channels: int = 1) -> Tensor:
    """Append the standard deviation within groups of images as extra channels.

    Args:
        x: [N, C, H, W]; C divisible by `num_channels`.
        group_size: number of images in a group; capped at N, None for all. A group consists of images that are
            N/group_size apart.
        num_channels: number of statistics to append, each over C/num_channels channels.
    Returns: [N, C + num_channels, H, W]
    Raises: ShapeError if N is not divisible by the group size or C by `num_channels`.
    Source: ProGAN Sec. 3.
    """
    n, c, h, w = x.shape
    group = max(n if group_size is None else min(group_size, n), 1)
    if n % group or c % num_channels:
        raise ShapeError(
            f"minibatch standard deviation needs a batch divisible by its group size {group} and channels divisible "
            f"by {num_channels}, got [{n}, {c}, {h}, {w}]; change the batch or the group size: `mbstd_group_size`, or "
            "`group_size` of the `MinibatchStd` of a network that exists."
        )
    y = x.reshape(group, n // group, num_channels, c // num_channels, h, w)
    std = (y.var(0, unbiased=False) + 1e-8).sqrt()  # [N/group, F, C/F, H, W]
    stat = std.mean([2, 3, 4]).repeat(group, 1)  # [N, F], row n belongs to group n mod N/group
    stat = stat[:, :, None, None] + torch.zeros_like(x[:, :num_channels])  # has the memory format of x, which cat keeps
    return torch.cat([x, stat], 1)
