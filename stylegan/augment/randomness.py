"""Values of the transformations: random, or the same percentile of every distribution.

A value is always drawn before its gate, even if the gate is closed, so that a seed gives the same augmentations.
"""

from __future__ import annotations

import math
from typing import Protocol

import torch
from torch import Tensor


class Draws(Protocol):
    """Source of values for a batch of n images; each method returns a float32 tensor [n, *shape]."""

    n: int

    def integer(self, choices: int) -> Tensor:
        """Uniform in 0 ... choices - 1."""

    def unit(self, *shape: int) -> Tensor:
        """Uniform in [0, 1)."""

    def symmetric(self, *shape: int) -> Tensor:
        """Uniform in [-1, 1)."""

    def symmetric_again(self) -> Tensor:
        """Uniform in [-1, 1), the second value for the same quantity; 0 in `PercentileDraws`."""

    def normal(self, *shape: int) -> Tensor:
        """Unit Gaussian."""

    def half_normal(self, *shape: int) -> Tensor:
        """Absolute value of a unit Gaussian."""

    def gate(self, probability: Tensor, value: Tensor, otherwise: float) -> Tensor:
        """Return, for each image, `value` with the given probability and `otherwise` with the rest."""


class RandomDraws:
    """Independent random values from torch's global generator of the device."""

    def __init__(self, n: int, device: torch.device):
        self.n, self.device = n, device

    def integer(self, choices: int) -> Tensor:
        return (self.unit() * choices).floor()

    def unit(self, *shape: int) -> Tensor:
        return torch.rand([self.n, *shape], device=self.device)

    def symmetric(self, *shape: int) -> Tensor:
        return self.unit(*shape) * 2 - 1

    def symmetric_again(self) -> Tensor:
        return self.symmetric()

    def normal(self, *shape: int) -> Tensor:
        return torch.randn([self.n, *shape], device=self.device)

    def half_normal(self, *shape: int) -> Tensor:
        return self.normal(*shape).abs()

    def gate(self, probability: Tensor, value: Tensor, otherwise: float) -> Tensor:
        # one random number per image, whatever the shape of its value
        return torch.where(self.unit(*[1] * (value.ndim - 1)) < probability, value, otherwise)


class PercentileDraws:
    """Quantile d of every distribution for all images, 0 <= d < 1, with every gate open, for repeatable tests.

    Gaussian values are erfinv(2d - 1) as in the official test mode, which is the true quantile divided by sqrt(2).
    """

    def __init__(self, n: int, device: torch.device, d: float):
        self.n, self.device, self.d = n, device, d

    def integer(self, choices: int) -> Tensor:
        return self._all(math.floor(self.d * choices))

    def unit(self, *shape: int) -> Tensor:
        return self._all(self.d, *shape)

    def symmetric(self, *shape: int) -> Tensor:
        return self._all(2 * self.d - 1, *shape)

    def symmetric_again(self) -> Tensor:
        return self._all(0.0)

    def normal(self, *shape: int) -> Tensor:
        return self.symmetric(*shape).erfinv()

    def half_normal(self, *shape: int) -> Tensor:
        return self.unit(*shape).erfinv()

    def gate(self, probability: Tensor, value: Tensor, otherwise: float) -> Tensor:
        return value

    def _all(self, value: float, *shape: int) -> Tensor:
        return torch.full([self.n, *shape], float(value), device=self.device)
