"""The textbook networks of the benchmarks give the same outputs as ours, so the comparison is fair."""

import sys
from pathlib import Path

import pytest
import torch
from golden import R, fill

from stylegan.networks import stylegan1, stylegan2, stylegan3

sys.path.insert(0, str(Path(__file__).parents[2] / "benchmarks"))
from baseline import stylegan1 as baseline1
from baseline import stylegan3 as baseline3
from baseline.stylegan2 import Discriminator, Generator

SMALL = {"img_resolution": 32, "channel_base": 256, "channel_max": 16, "conv_clamp": 256}


@pytest.mark.parametrize("per_sample", [True, False])
def test_generator_gives_the_same_images(per_sample):
    G = fill(stylegan2.Generator(8, 0, 8, mapping_layers=2, **SMALL))
    ws = G.mapping(R(1, [3, 8]))
    slow = Generator(G).synthesis(ws, per_sample=per_sample)
    torch.testing.assert_close(slow, G.synthesis(ws, noise_mode="const"), rtol=1e-4, atol=1e-4)


def test_discriminator_gives_the_same_logits():
    D = fill(stylegan2.Discriminator(0, **SMALL))
    img = R(2, [4, 3, 32, 32])
    torch.testing.assert_close(Discriminator(D)(img), D(img), rtol=1e-4, atol=1e-4)


@pytest.mark.parametrize("options", [{}, {"conv_kernel": 1, "use_radial_filters": True}])
def test_alias_free_generator_gives_the_same_images(options):
    G = fill(stylegan3.Generator(8, 0, 8, **{**SMALL, **options}, num_layers=5))
    ws = G.mapping(R(1, [3, 8]))
    torch.testing.assert_close(baseline3.Generator(G).synthesis(ws), G.synthesis(ws), rtol=1e-4, atol=1e-4)


def test_stylegan1_gives_the_same_images():
    G = fill(stylegan1.Generator(8, 0, 8, 128, channel_base=256, channel_max=8, mapping_layers=2))
    G.lod.zero_()
    ws = G.mapping(R(1, [2, 8]))
    slow = baseline1.Generator(G).synthesis(ws)
    torch.testing.assert_close(slow, G.synthesis(ws, noise_mode="const"), rtol=1e-4, atol=1e-3)
