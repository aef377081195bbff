"""Perceptual distances, by name."""

from __future__ import annotations

from collections.abc import Callable
from typing import Protocol

import torch
from torch import Tensor

from stylegan.inversion.perceptual import LARGEST_SIDE, SMALLEST_SIDE, PerceptualDistance
from stylegan.networks.efficientnet_lite import SIZES


class Distance(Protocol):
    """A perceptual distance: what a path length needs."""

    name: str  # ends the name of every score
    resize: str  # how images come to the size that it compares
    sha256: str | None  # of the file of its weights

    def __call__(self, a: Tensor, b: Tensor) -> Tensor:
        """Images [N, 1 or 3, H, W] in [-1, 1] -> [N]"""


class EfficientNetDistance:
    """The distance of `PerceptualDistance`."""

    name = "efflite0"
    sha256: str | None = SIZES[0].sha256
    resize = f"to {SMALLEST_SIDE} pixels per side if smaller, {LARGEST_SIDE} if larger"

    def __init__(self, device: torch.device | str = "cpu"):
        self._distance = PerceptualDistance(device)

    def __call__(self, a: Tensor, b: Tensor) -> Tensor:
        """Images [N, 1 or 3, H, W] in [-1, 1] -> [N]"""
        distance: Tensor = self._distance(a, b)
        return distance


DISTANCES: dict[str, Callable[[torch.device | str], Distance]] = {"efflite0": EfficientNetDistance}
