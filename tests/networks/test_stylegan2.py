"""StyleGAN2 against the recorded outputs and the published counts."""

import pytest
import torch
from golden import R, assert_matches, fill

from stylegan.errors import ConfigError, ShapeError
from stylegan.networks.stylegan2 import Discriminator, Generator

SMALL = {"img_resolution": 16, "channel_base": 128, "channel_max": 16}


def small_generator(architecture: str, c_dim: int, **options) -> Generator:
    return fill(Generator(8, c_dim, 8, mapping_layers=2, architecture=architecture, **SMALL, **options))


@pytest.mark.parametrize("c_dim", [0, 3])
@pytest.mark.parametrize("architecture", ["skip", "orig", "resnet"])
def test_generator_gives_the_recorded_pictures(architecture, c_dim):
    G = small_generator(architecture, c_dim)
    z, c = R(1, [3, 8]), torch.eye(3) if c_dim else None
    name = f"sg2_G_{architecture}_c{c_dim}"
    assert_matches(name, G(z, c, noise_mode="const"))
    if architecture == "skip":
        assert_matches(f"{name}_nonoise", G(z, c, noise_mode="none"))
        cut = G(z, c, truncation_psi=0.5, truncation_cutoff=2, noise_mode="const")
        assert_matches(f"{name}_trunc0.5_cut2", cut)
        assert_matches(f"{name}_w", G.mapping(z, c)[:, 0])


def test_clamped_generator_gives_the_recorded_pictures():
    G = small_generator("resnet", 0, conv_clamp=0.5)
    assert_matches("sg2_G_resnet_c0_clamp0.5", G(R(1, [3, 8]), noise_mode="const"))


@pytest.mark.parametrize("c_dim", [0, 3])
@pytest.mark.parametrize("architecture", ["resnet", "orig", "skip"])
def test_discriminator_gives_the_recorded_logits(architecture, c_dim):
    D = fill(Discriminator(c_dim, mapping_layers=2, architecture=architecture, mbstd_group_size=2, **SMALL))
    c = torch.eye(3)[[0, 1, 2, 0]] if c_dim else None
    assert_matches(f"sg2_D_{architecture}_c{c_dim}", D(R(2, [4, 3, 16, 16]), c))
