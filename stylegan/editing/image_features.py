"""Encoders of images that judge edits, and the loss of a change in one direction of their features."""

from __future__ import annotations

from collections.abc import Callable

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from stylegan.networks.efficientnet_lite import load_efficientnet_lite

SIDE = 128  # pixels to which images are resized for `StyleFeatures`

Encode = Callable[[Tensor], Tensor]  # images [N, 1 or 3, H, W] in [-1, 1] -> unit features [N, D], differentiable


class StyleFeatures(nn.Module):
    """Means and deviations of the channels of EfficientNet-Lite0 at four scales: how images look, not what is where.

    Each scale counts the same. Needs no text and no download.

    Raises: MissingExtra without the package that holds the weights.
    """

    def __init__(self, device: torch.device | str = "cpu"):
        super().__init__()
        self.trunk = load_efficientnet_lite(0).to(device)

    def forward(self, images: Tensor) -> Tensor:
        """[N, 1 or 3, H, W] in [-1, 1] -> unit features [N, 992]."""
        x = F.interpolate(images, (SIDE, SIDE), mode="bilinear", antialias=True).expand(-1, 3, -1, -1)
        scales = [
            F.normalize(torch.cat([y.mean((2, 3)), y.flatten(2).std(2)], 1), dim=1)
            for y in self.trunk.pyramid(x.contiguous(memory_format=torch.channels_last))
        ]
        return torch.cat(scales, 1) / len(scales) ** 0.5


def directional_loss(change: Tensor, direction: Tensor, *, slack: float = 0.1) -> Tensor:
    """Return how little changes of features point along a direction, [N]: 0 for parallel, 1 for none, 2 for opposite.

    This is 1 minus the cosine of their angle, Gal et al. 2021, Eq. 2, but with sqrt(length² + slack²) for the length of
    a change. Its gradient is finite where nothing has changed yet, which is where every search starts.

    change [N, D], direction [D] of length 1.
    """
    return 1 - change @ direction / (change.square().sum(1) + slack**2).sqrt()


@torch.no_grad()
def encoded(encode: Encode, images: Tensor, *, batch: int = 16) -> Tensor:
    """Return the features of images [N, C, H, W] in [-1, 1], [N, D], a batch at a time."""
    return torch.cat([encode(part) for part in images.split(batch)])
