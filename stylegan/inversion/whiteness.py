"""The penalty that keeps the noise of a network from carrying the image. Karras et al. 2020a, App. D."""

from __future__ import annotations

import torch.nn.functional as F
from torch import Tensor


def whiteness(noise: Tensor) -> Tensor:
    """Return the penalty on noise whose neighbors are alike, [N]; 0 in expectation for white noise.

    The squared correlations of each value with its neighbor to the right and below, at each halving of the size down to
    8 pixels.

    noise: [N, 1, H, H]
    """
    total = noise.new_zeros(len(noise))
    while True:
        for axis in (3, 2):
            total = total + (noise * noise.roll(1, axis)).mean([1, 2, 3]).square()
        if noise.shape[3] <= 8:
            return total
        noise = F.avg_pool2d(noise, 2)
