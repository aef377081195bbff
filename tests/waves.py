"""Image as a sum of waves, known at every position, for exact translation and rotation."""

from __future__ import annotations

import math
from types import SimpleNamespace

import torch
from torch import Tensor, nn


class Waves(nn.Module):
    """A generator with the calls of the family: ws are the phases of 24 waves of at most `cycles` an image.

    `stuck` adds a grating that does not move, as texture that sticks to the pixels does.
    """

    def __init__(self, size: int = 32, cycles: float = 4.0, stuck: float = 0.0, c_dim: int = 0):
        super().__init__()
        self.z_dim = self.w_dim = 24
        self.c_dim, self.num_ws, self.img_resolution, self.img_channels = c_dim, 1, size, 3
        self.class_names = self.label_names = None
        self.weight = nn.Parameter(torch.zeros([]))
        rng = torch.Generator().manual_seed(1)
        angle, length = torch.rand(2, 24, generator=rng, dtype=torch.float64) * torch.tensor([[2 * math.pi], [cycles]])
        self.freqs = torch.stack([angle.cos(), angle.sin()], 1) * length[:, None]
        self.mix = torch.randn(3, 24, generator=rng, dtype=torch.float64) * 0.15
        self.stuck = stuck
        self.synthesis = nn.Module()
        self.synthesis.input = nn.Module()
        self.synthesis.input.register_buffer("transform", torch.eye(3, dtype=torch.float64))
        self.synthesis.forward = self.draw
        self.calls = SimpleNamespace(transforms=[], labels=[])

    def mapping(self, z: Tensor, c: Tensor | None = None) -> Tensor:
        self.calls.labels.append(c)
        return z[:, None]

    def draw(self, ws: Tensor, *, noise_mode: str) -> Tensor:
        """ws [N, 1, 24] -> [N, 3, H, H]"""
        assert noise_mode == "const"
        T = self.synthesis.input.transform
        self.calls.transforms.append(T.clone())
        n = self.img_resolution
        axis = (torch.arange(n, dtype=torch.float64) + 0.5) / n - 0.5
        y, x = torch.meshgrid(axis, axis, indexing="ij")
        places = torch.stack([x, y, torch.ones_like(x)], -1) @ T.mT  # [H, H, 3], the inverse of the motion
        waves = torch.sin(2 * math.pi * (places[..., :2] @ self.freqs.mT + ws[:, :, None]))  # [N, H, H, 24]
        grating = self.stuck * torch.sin(2 * math.pi * 4 * x)
        return (waves @ self.mix.mT).permute(0, 3, 1, 2) + grating
