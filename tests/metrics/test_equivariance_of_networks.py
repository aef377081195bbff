"""Images that move and rotate with the input of a network, and textures that stick to the pixels.

A pale image scores high whatever it does. So each network first gets the magnitudes that training would give it, and
then images whose pixels deviate by 0.25 from the mean of their channel, in the square mean over images.
"""

from __future__ import annotations

import math
from functools import cache

import pytest
import torch
from torch import nn

from stylegan.metrics.equivariance import KINDS, equivariance
from stylegan.networks import stylegan2, stylegan3

CONTRAST = 0.25


def stylegan3_of(resolution: int, **options) -> stylegan3.Generator:
    torch.manual_seed(0)
    G = stylegan3.Generator(64, 0, 64, resolution, 3, magnitude_ema_beta=0.2, **options).requires_grad_(False)
    for _ in range(4):  # as training would, or random networks draw hardly more than gray
        G.synthesis(G.mapping(torch.randn(4, 64)), update_emas=True)
    G.synthesis.output_scale *= CONTRAST / contrast(G)
    return G


class FourierStyleGAN2(nn.Module):
    """StyleGAN2 with waves of at most 2 an image instead of its 4x4 constant: the least change that lets its input
    move, config B of Karras et al. 2021."""

    def __init__(self, resolution: int):
        super().__init__()
        torch.manual_seed(0)
        self.G = stylegan2.Generator(64, 0, 64, resolution, 3, mapping_layers=2, channel_max=32).requires_grad_(False)
        self.z_dim, self.c_dim, self.mapping = 64, 0, self.G.mapping
        angle, radius = (
            2 * math.pi * torch.rand(32, dtype=torch.float64),
            2 * torch.rand(32, dtype=torch.float64).sqrt(),
        )
        self.freqs = torch.stack([angle.cos(), angle.sin()], 1) * radius[:, None]
        self.phases, self.scale = torch.rand(32, dtype=torch.float64), 1.0
        self.synthesis = nn.Module()
        self.synthesis.input = nn.Module()
        self.synthesis.input.register_buffer("transform", torch.eye(3))
        self.synthesis.forward = self.draw
        self.scale = CONTRAST / contrast(self)

    def draw(self, ws, *, noise_mode):
        axis = (torch.arange(4) - 1.5) / 4
        y, x = torch.meshgrid(axis, axis, indexing="ij")
        places = torch.stack([x, y, torch.ones_like(x)], -1) @ self.synthesis.input.transform.mT  # [4, 4, 3]
        waves = torch.sin(2 * math.pi * (places[..., :2].double() @ self.freqs.mT + self.phases)) * 2**0.5
        self.G.synthesis.b4.const.copy_(waves.permute(2, 0, 1))
        return self.G.synthesis(ws, noise_mode=noise_mode) * self.scale


def contrast(G) -> float:
    """The deviation of pixels from the mean of their channel."""
    rng = torch.Generator().manual_seed(1)
    return float(
        G.synthesis(G.mapping(torch.randn(16, 64, generator=rng)), noise_mode="const").var((2, 3)).mean().sqrt()
    )


@cache
def scores(name: str) -> dict[str, float]:
    G = {
        "stylegan2": lambda: FourierStyleGAN2(64),
        "stylegan3-t": lambda: stylegan3_of(64, channel_max=16),
        "stylegan3-r": lambda: stylegan3_of(64, channel_max=32, conv_kernel=1, use_radial_filters=True),
    }[name]()
    return {kind: equivariance(G, kind, num=4).value for kind in KINDS}


@pytest.mark.parametrize(("name", "decibels"), [("stylegan3-t", 50), ("stylegan3-r", 60)])
def test_images_of_a_stylegan3_move_with_its_input(name, decibels):
    assert scores(name)["eqt_int"] > decibels
    assert scores(name)["eqt_frac"] > decibels


def test_images_of_a_stylegan3_r_turn_with_its_input_and_those_of_a_t_do_not():
    assert scores("stylegan3-r")["eqr"] > 60
    assert scores("stylegan3-t")["eqr"] < 30


def test_images_of_a_stylegan2_do_neither():
    assert max(scores("stylegan2").values()) < 25
