"""StyleGAN1 against its equations."""

from dataclasses import replace

import pytest
import reference_growing as slow
import torch
from golden import R, fill
from torch.testing import assert_close

from stylegan.errors import ConfigError, ShapeError
from stylegan.networks.stylegan1 import Discriminator, Generator

SMALL = {"img_resolution": 16, "channel_base": 128, "channel_max": 12}
LODS = [0.0, 0.4, 1.0, 1.7, 2.0]
OPTIONS = {
    "as published": {},
    "traditional input": {"const_input": False},
    "no styles": {"use_styles": False, "const_input": False},
    "no noise": {"use_noise": False},
    "pixel norm": {"use_pixel_norm": True},
    "pixel norm only": {"use_pixel_norm": True, "use_instance_norm": False},
    "styles only": {"use_instance_norm": False},
    "no blur": {"blur_filter": None},
}


def generator(c_dim: int = 0, lod: float = 0.0, **options) -> Generator:
    G = fill(Generator(8, c_dim, 6, mapping_layers=3, **SMALL, **options))
    G.lod.fill_(lod)
    return G


def normalization(options: dict) -> str:
    instance, pixel = options.get("use_instance_norm", True), options.get("use_pixel_norm", False)
    return "both" if instance and pixel else "instance" if instance else "pixel" if pixel else ""


@pytest.mark.parametrize("c_dim", [0, 3])
def test_mapping_is_its_equations(c_dim):
    G = generator(c_dim)
    z, c = R(1, [3, 8]), torch.eye(3) if c_dim else None
    ws = G.mapping(z, c)
    assert ws.shape == (3, 6, 6)
    assert_close(ws, slow.mapping(G.state_dict(), z, c)[:, None].repeat(1, 6, 1))


@pytest.mark.parametrize("lod", LODS)
@pytest.mark.parametrize("name", OPTIONS)
def test_synthesis_is_its_equations(name, lod):
    options = OPTIONS[name]
    G = generator(lod=lod, **options)
    ws = R(4, [3, 6, 6])  # another w for every layer
    expected = slow.synthesis(
        G.state_dict(),
        ws,
        16,
        lod,
        normalize=normalization(options),
        blurred=options.get("blur_filter", True) is not None,
    )
    assert_close(G.synthesis(ws, noise_mode="const"), expected, rtol=1e-4, atol=1e-4 * expected.abs().max().item())


@pytest.mark.parametrize("lod", LODS)
def test_discriminator_is_its_equations(lod):
    D = fill(Discriminator(**SMALL))
    D.lod.fill_(lod)
    img = R(2, [4, 3, 16, 16])
    expected = slow.discriminator(D.state_dict(), img, 16, lod, blurred=True)
    assert_close(D(img), expected, rtol=1e-4, atol=1e-4)


def test_the_label_says_which_logit_counts():
    D = fill(Discriminator(3, **SMALL))
    img, classes = R(2, [4, 3, 16, 16]), [0, 1, 2, 0]
    logits = slow.discriminator(D.state_dict(), img, 16, 0, blurred=True)
    assert_close(D(img, torch.eye(3)[classes]), logits[torch.arange(4), classes][:, None], rtol=1e-4, atol=1e-4)


def test_a_wrong_label_is_refused():
    with pytest.raises(ShapeError, match=r"discriminator is conditional and takes labels c \[N, 3\], got None"):
        Discriminator(3, **SMALL)(torch.zeros(2, 3, 16, 16))
    with pytest.raises(ShapeError, match=r"discriminator is unconditional and takes c=None, got \[2, 3\]"):
        Discriminator(**SMALL)(torch.zeros(2, 3, 16, 16), torch.zeros(2, 3))
    with pytest.raises(ConfigError, match="activation must be one of"):
        Generator(activation="gelu", **SMALL)


def test_truncation_pulls_the_first_layers_to_the_running_mean():
    G, z = generator(), R(1, [3, 8])
    ws, w_avg = G.mapping(z), G.mapping.w_avg
    cut = G.mapping(z, truncation_psi=0.7, truncation_cutoff=4)
    assert_close(cut[:, :4], w_avg + 0.7 * (ws[:, :4] - w_avg))
    assert torch.equal(cut[:, 4:], ws[:, 4:])


def test_the_running_mean_is_updated_on_request():
    G, z = generator(), R(1, [16, 8])
    before, w = G.mapping.w_avg.clone(), G.mapping(z)[:, 0].mean(0)
    G(z)
    assert torch.equal(G.mapping.w_avg, before)
    G.mapping(z, update_emas=True)
    assert_close(G.mapping.w_avg, 0.995 * before + 0.005 * w)


def test_noise_modes_do_what_they_say():
    G = generator()
    ws = R(4, [2, 6, 6])
    const, none = G.synthesis(ws, noise_mode="const"), G.synthesis(ws, noise_mode="none")
    assert torch.equal(const, G.synthesis(ws, noise_mode="const"))
    assert_close(none, slow.synthesis(G.state_dict(), ws, 16, 0, normalize="instance", blurred=True, noise=False),
                 rtol=1e-4, atol=1e-3)  # fmt: skip
    random = [G.synthesis(ws) for _ in range(2)]
    images = [const, none, *random]
    for i, a in enumerate(images):
        assert all((a - b).abs().max() > 1e-2 for b in images[:i])


def test_every_channel_has_a_noise_strength_of_its_own():
    G = generator()
    layer = G.synthesis.b16.layer1
    x, w = torch.zeros(1, 8, 16, 16), R(5, [1, 6])
    layer.noise_strength.data = torch.tensor([0.0] * 7 + [1.0])
    layer.settings = replace(layer.settings, use_styles=False, use_instance_norm=False)
    change = layer(x, w, "const") - layer(x, w, "none")
    assert (change[:, :7] == 0).all()
    assert change[:, 7].abs().max() > 0.1


def test_fresh_networks_start_from_ones_and_styles_that_change_nothing():
    G = Generator(8, 0, 8, **SMALL)
    assert torch.equal(G.synthesis.b4.const, torch.ones(12, 4, 4))
    names = [name for name, _ in G.named_parameters() if "noise_strength" in name or name.endswith("bias")]
    assert all(not G.get_parameter(name).any() for name in names)
    scale, shift = G.synthesis.b4.layer1.style(torch.zeros(1, 8))
    assert torch.equal(scale, torch.ones(1, 12))
    assert torch.equal(shift, torch.zeros(1, 12))
