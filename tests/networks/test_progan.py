"""Progressive GAN against its equations."""

import pytest
import reference_growing as slow
import torch
from golden import R, fill
from torch.testing import assert_close

from stylegan.networks.progan import Discriminator, Generator

SMALL = {"img_resolution": 16, "channel_base": 128, "channel_max": 12}
LODS = [0.0, 0.4, 1.0, 1.7, 2.0]


@pytest.mark.parametrize("lod", LODS)
@pytest.mark.parametrize("c_dim", [0, 3])
def test_generator_is_its_equations(c_dim, lod):
    G = fill(Generator(8, c_dim, **SMALL)).double()
    G.lod.fill_(lod)
    z, c = R(1, [3, 8]), torch.eye(3) if c_dim else None
    ws = slow.pixel_norm(torch.cat([z, c], 1) if c is not None else z)[:, None]
    assert_close(G.mapping(z, c), ws.double(), rtol=1e-6, atol=1e-6)
    expected = slow.synthesis(G.float().state_dict(), ws, 16, lod, normalize="pixel", blurred=False)
    assert_close(G(z, c), expected, rtol=1e-4, atol=1e-4)


@pytest.mark.parametrize("lod", LODS)
@pytest.mark.parametrize("c_dim", [0, 3])
def test_discriminator_is_its_equations(c_dim, lod):
    D = fill(Discriminator(c_dim, **SMALL))
    D.lod.fill_(lod)
    img = R(2, [4, 3, 16, 16])
    expected = slow.discriminator(D.state_dict(), img, 16, lod, blurred=False)
    score, labels = D.score_and_labels(img)
    assert score.shape == (4, 1)
    assert labels.shape == (4, c_dim)
    assert_close(torch.cat([score, labels], 1), expected, rtol=1e-4, atol=1e-4)
    assert torch.equal(D(img, torch.eye(3)[[0, 1, 2, 0]] if c_dim else None), score)


def test_truncation_shrinks_the_latent_towards_the_middle():
    G = fill(Generator(8, **SMALL))
    z = R(1, [3, 8])
    ws = G.mapping(z)
    assert_close(G.mapping(z, truncation_psi=0.5), ws / 2)
    assert_close(G.mapping(z, truncation_psi=0.5, truncation_cutoff=1), ws / 2)
    assert_close(G.mapping(z, truncation_psi=0.5, truncation_cutoff=0), ws)
    middle = G(z, truncation_psi=0)
    assert_close(middle[0], middle[1])


def test_there_is_no_noise():
    G = fill(Generator(8, **SMALL))
    assert torch.equal(G(R(1, [2, 8]), noise_mode="random"), G(R(1, [2, 8]), noise_mode="none"))


def test_fresh_networks_keep_the_variance_of_features_near_one():
    G = Generator(64, img_resolution=32, channel_base=1024, channel_max=64)
    features = []
    for name, module in G.named_modules():
        if "layer" in name:
            module.register_forward_hook(lambda _, __, y: features.append(y.square().mean()))
    G(torch.randn(8, 64))
    assert_close(torch.stack(features), torch.ones(8), rtol=1e-3, atol=1e-3)
