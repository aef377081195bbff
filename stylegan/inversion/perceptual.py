"""The distance between two images as a trained network sees it: Zhang et al. 2018, without learned weights."""

from __future__ import annotations

from collections.abc import Sequence

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from stylegan.networks.efficientnet_lite import load_efficientnet_lite

SMALLEST_SIDE = 128  # pixels; smaller images are enlarged, or the deepest features would have 2x2 places
LARGEST_SIDE = 256  # larger images are reduced, as in the projector of StyleGAN2
Features = Sequence[Tensor]


class PerceptualDistance(nn.Module):
    """Squared distance of unit feature vectors at four scales of EfficientNet-Lite0.

    At each place the vector of all channels has length one; the squared differences are averaged over the places and
    the scales. 0 is equal, 2 unrelated. Values cannot be compared with published LPIPS, which uses another network
    and learned weights. Differentiable in both images.

    Args:
        smallest_side: pixels; smaller images are enlarged. Less than the default is faster and sees less.
    Raises: MissingExtra without the package that holds the weights.
    """

    def __init__(self, device: torch.device | str = "cpu", *, smallest_side: int = SMALLEST_SIDE):
        super().__init__()
        self.smallest_side = smallest_side
        self.trunk = load_efficientnet_lite(0).to(device)
        self.name = "efflite0"

    def features(self, images: Tensor, smallest_side: int | None = None) -> list[Tensor]:
        """Return the unit features of images [N, 1 or 3, H, W] in [-1, 1], one [N, C, h, w] for each scale.

        smallest_side: as of the class; None for that of this distance.
        """
        side = min(max(images.shape[-1], smallest_side or self.smallest_side), LARGEST_SIDE)
        if side > images.shape[-1]:
            images = F.interpolate(images, (side, side), mode="bilinear")
        elif side < images.shape[-1]:
            images = F.interpolate(images, (side, side), mode="area")
        x = images.expand(-1, 3, -1, -1).contiguous(memory_format=torch.channels_last)
        return [F.normalize(y, dim=1) for y in self.trunk.pyramid(x)]

    @staticmethod
    def between(a: Features, b: Features) -> Tensor:
        """Return the distance of images by their features, [N]."""
        return torch.stack([(x - y).square().sum(1).mean([1, 2]) for x, y in zip(a, b, strict=True)]).mean(0)

    def forward(self, a: Tensor, b: Tensor) -> Tensor:
        """Return the distance of images [N, 1 or 3, H, W] in [-1, 1], [N]."""
        return self.between(self.features(a), self.features(b))
