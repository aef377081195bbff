"""The goal of a search: images close to given ones, where these are known."""

from __future__ import annotations

import torch
from torch import Tensor

from stylegan.images.pixels import to_float
from stylegan.inversion.perceptual import Features, PerceptualDistance


class Goal:
    """The distance of images from their targets."""

    def __init__(self, targets: Tensor, mask: Tensor | None, perceptual: PerceptualDistance, pixel_weight: float):
        self.targets, self.perceptual, self.pixel_weight = targets, perceptual, pixel_weight
        self.mask = None if mask is None else mask.to(targets.device, torch.float32)
        self.pixels = self.known(to_float(targets))
        with torch.no_grad():
            self.features: Features = perceptual.features(self.pixels)

    def __call__(self, images: Tensor) -> Tensor:
        """Return the distance of images [N, C, R, R] in [-1, 1], [N]."""
        known = self.known(images)
        distance = self.perceptual.between(self.perceptual.features(known), self.features)
        if self.pixel_weight:
            distance = distance + self.pixel_weight * (known - self.pixels).square().mean([1, 2, 3])
        return distance

    def known(self, images: Tensor) -> Tensor:
        """Return the images with zeros where the targets are unknown."""
        return images if self.mask is None else images * self.mask
