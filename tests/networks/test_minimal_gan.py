"""The minimal networks behind the three calls of the family."""

import pytest
import torch

from stylegan.errors import ConfigError
from stylegan.networks import minimal
from stylegan.networks.minimal_gan import Discriminator, Generator

SMALL = {"n_features": 8, "max_features": 16}


def networks():
    torch.manual_seed(0)
    G = Generator(16, 0, 16, 16, mapping_layers=2, **SMALL).eval()
    return G, Discriminator(0, 16, **SMALL).eval()


def test_images_are_those_of_the_specification_in_another_range():
    G, D = networks()
    z = torch.randn(4, 16)
    spec = minimal.Generator(4, 16, **SMALL)
    spec.load_state_dict(G.synthesis.state_dict(), strict=False)
    w = G.mapping.net(torch.nn.functional.normalize(z, dim=1))
    noise = [getattr(G.synthesis, f"noise_const{i}") for i in range(5)]
    for block in (G.synthesis, spec):
        for name, parameter in block.named_parameters():
            if name.endswith("scale_noise"):
                parameter.data.fill_(0.3)
    img = G(z, noise_mode="const")
    expected = spec(w.expand(3, 4, 16), [(None, noise[0]), (noise[1], noise[2]), (noise[3], noise[4])])
    torch.testing.assert_close((img + 1) / 2, expected)
    torch.testing.assert_close(D(img), D.net(expected))


def test_noise_is_new_constant_or_left_out():
    G, _ = networks()
    for name, parameter in G.named_parameters():
        if name.endswith("scale_noise"):
            parameter.data.fill_(0.3)
    ws = G.mapping(torch.randn(2, 16))
    drawn = {mode: [G.synthesis(ws, noise_mode=mode) for _ in range(2)] for mode in ("const", "none", "random")}
    assert torch.equal(*drawn["const"])
    assert torch.equal(*drawn["none"])
    assert not torch.equal(*drawn["random"])
    assert not torch.equal(drawn["const"][0], drawn["none"][0])


def test_truncation_moves_towards_the_average_that_training_follows():
    G, _ = networks()
    z = torch.randn(8, 16)
    for _ in range(2000):
        G.mapping(z, update_emas=True)
    ws = G.mapping(z)
    torch.testing.assert_close(G.mapping.w_avg, ws[:, 0].mean(0), rtol=1e-3, atol=1e-4)
    torch.testing.assert_close(G.mapping(z, truncation_psi=0.0)[3, 1], G.mapping.w_avg)


def test_only_color_without_labels_in_full_precision_is_known():
    with pytest.raises(ConfigError, match="draw three channels without labels, got 1 channels and 0 labels; convert"):
        Generator(img_channels=1)
    with pytest.raises(ConfigError, match="got 3 channels and 5 labels"):
        Discriminator(c_dim=5)
    with pytest.raises(ConfigError, match="keeps the width of z, got z_dim 8 and w_dim 16"):
        Generator(z_dim=8, w_dim=16)
    with pytest.raises(ConfigError, match="compute in fp32, got 'bf16'; set `precision` to fp32"):
        networks()[0].precision = "bf16"
