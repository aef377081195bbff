"""Patches of feature maps around points of an image, and the place where a patch is found again."""

from __future__ import annotations

import math

import torch
import torch.nn.functional as F
from torch import Tensor


class Patches:
    """Patches of feature maps [1, C, h, w] around places in pixels of an image of `side`."""

    def __init__(self, side: int, radius: float):
        self.side = side
        reach = torch.arange(-math.ceil(radius), math.ceil(radius) + 1.0)
        self.grid = torch.cartesian_prod(reach, reach)  # [K, 2]

    def at(self, maps: Tensor, places: Tensor) -> Tensor:
        """Return the patches at places [..., 2], [..., C, K]; the same between pixels, by bilinear interpolation."""
        spots = places[..., None, :] + self.grid.to(places)  # [..., K, 2]
        grid = (2 * spots + 1) / self.side - 1
        values = F.grid_sample(maps, grid.reshape(1, -1, len(self.grid), 2), padding_mode="border", align_corners=False)
        return values[0].transpose(0, 1).reshape(*places.shape[:-1], maps.shape[1], len(self.grid))

    def nearest(self, now: Tensor, first: Tensor, starts: Tensor, centers: Tensor, radius: float) -> Tensor:
        """Return the place near each of `centers` whose patch is closest to the `first` one at `starts`, [P, 2]."""
        template = self.at(first, starts)  # [P, C, K]
        reach = torch.arange(-math.ceil(2 * radius), math.ceil(2 * radius) + 1.0, device=now.device) / 2
        places = centers[:, None] + torch.cartesian_prod(reach, reach)  # [P, Q, 2], half a pixel apart
        places = places.clamp(0, self.side - 1)
        best = []
        for spots, patch in zip(places, template, strict=True):
            far = torch.cat([(self.at(now, part) - patch).abs().mean((-2, -1)) for part in spots.split(256)])
            best.append(spots[far.argmin()])
        return torch.stack(best)
