"""The goal of a search: images close to given ones, where these are known."""

from __future__ import annotations

import torch
from torch import Tensor

from stylegan.images.pixels import to_float
from stylegan.inversion.perceptual import Features, PerceptualDistance


class Goal:
    """The distance of images from their targets.

    Args:
        targets: [N, C, R, R] uint8.
        mask: 1 where they are known; None for all.
        perceptual, smallest_side: the perceptual distance, and the side to which it enlarges smaller images; None for
            its own.
        pixel_weight: of the mean squared difference of pixels beside it.
    """

    def __init__(
        self,
        targets: Tensor,
        mask: Tensor | None,
        perceptual: PerceptualDistance,
        pixel_weight: float,
        smallest_side: int | None = None,
    ):
        self.targets, self.perceptual, self.pixel_weight = targets, perceptual, pixel_weight
        self.smallest_side = smallest_side
        self.mask = None if mask is None else mask.to(targets.device, torch.float32)
        self.pixels = self.known(to_float(targets))
        with torch.no_grad():
            self.features: Features = perceptual.features(self.pixels, smallest_side)

    def __call__(self, images: Tensor) -> Tensor:
        """Return the distance of images [N, C, R, R] in [-1, 1], [N]."""
        known = self.known(images)
        distance = self.perceptual.between(self.perceptual.features(known, self.smallest_side), self.features)
        if self.pixel_weight:
            distance = distance + self.pixel_weight * (known - self.pixels).square().mean([1, 2, 3])
        return distance

    def known(self, images: Tensor) -> Tensor:
        """Return the images with zeros where the targets are unknown."""
        return images if self.mask is None else images * self.mask
