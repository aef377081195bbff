"""R3GAN against its figure, its published sizes and its initialization."""

import math

import pytest
import reference_r3gan as slow
import torch
from golden import R, fill
from torch.testing import assert_close

from stylegan.checkpoints import Checkpoint, load_checkpoint, save
from stylegan.errors import ConfigError, ShapeError
from stylegan.losses.r1 import r1_penalty
from stylegan.networks.r3gan import Discriminator, DiscriminatorSettings, Generator, GeneratorSettings
from stylegan.sampling.class_center import ClassCentered

SMALL = {"img_resolution": 16, "channel_base": 128, "channel_max": 12, "group_size": 4}
CONDITIONAL = pytest.mark.parametrize("c_dim", [0, 3])


def parameters(network) -> int:
    return sum(p.numel() for p in network.parameters())


def gradients(loss, network) -> dict[str, torch.Tensor]:
    names = dict(network.named_parameters())
    found = torch.autograd.grad(loss, list(names.values()), allow_unused=True)
    return {name: torch.zeros_like(p) if g is None else g for (name, p), g in zip(names.items(), found, strict=True)}


@pytest.mark.parametrize(
    ("resolution", "G_millions", "D_millions", "widths"),
    [
        (256, 23.1, 23.0, [768, 768, 768, 768, 384, 192, 96]),  # Table 2
        (64, 22.4, 22.4, [768, 768, 768, 768, 384]),
        (32, 20.7, 20.7, [768, 768, 768, 768]),
    ],
)
def test_default_networks_have_the_published_size(resolution, G_millions, D_millions, widths):
    with torch.device("meta"):
        G, D = Generator(img_resolution=resolution), Discriminator(img_resolution=resolution)
        assert round(parameters(G) / 1e6, 1) == G_millions
        assert round(parameters(D) / 1e6, 1) == D_millions
        for network in (G, D):
            assert [network.settings.channels(r) for r in network.settings.resolutions] == widths
        assert G(torch.empty(2, 64)).shape == (2, 3, resolution, resolution)
        assert D(torch.empty(2, 3, resolution, resolution)).shape == (2, 1)


def test_grouped_convolutions_have_16_channels_a_group():
    with torch.device("meta"):
        G = Generator()
    assert [stage.blocks[0].groups for stage in G.synthesis.stages] == [96, 96, 96, 96, 48, 24, 12]


@CONDITIONAL
def test_generator_is_its_figure(c_dim):
    G = fill(Generator(8, c_dim, **SMALL))
    z, c = R(1, [3, 8]), torch.eye(3) if c_dim else None
    assert_close(G(z, c), slow.generator(G.state_dict(), z, c, 16), rtol=1e-4, atol=1e-4)


@CONDITIONAL
def test_discriminator_is_its_figure(c_dim):
    D = fill(Discriminator(c_dim, **SMALL))
    img, c = R(2, [3, 3, 16, 16]), torch.eye(3) if c_dim else None
    assert_close(D(img, c), slow.discriminator(D.state_dict(), img, c, 16), rtol=1e-4, atol=1e-4)


@CONDITIONAL
@pytest.mark.parametrize("shape", [{}, {"num_blocks": 1, "expansion": 3}, {"channel_max": 8, "img_channels": 1}])
def test_second_derivatives_of_d_are_those_of_the_figure(c_dim, shape):
    D = fill(Discriminator(c_dim, **{**SMALL, **shape}))
    img, c = R(2, [3, D.img_channels, 16, 16]).requires_grad_(), torch.eye(3) if c_dim else None
    fast = gradients(r1_penalty(img, D(img, c)).mean(), D)
    logits = slow.discriminator(dict(D.named_parameters()), img, c, 16)
    expected = gradients(r1_penalty(img, logits).mean(), D)
    for name, g in expected.items():
        assert_close(fast[name], g, rtol=1e-3, atol=1e-4 * max(g.abs().max().item(), 1e-3), msg=name)
    assert not [name for name, g in fast.items() if not g.isfinite().all()]
    assert {name for name, g in fast.items() if not g.any()} <= {n for n in fast if n.endswith("bias")}


@CONDITIONAL
def test_gradients_reach_every_parameter_of_both_networks(c_dim):
    G, D = fill(Generator(8, c_dim, **SMALL)), fill(Discriminator(c_dim, **SMALL))
    c = torch.eye(3) if c_dim else None
    D(G(R(1, [3, 8]), c), c).sum().backward()
    for network in (G, D):
        assert not [name for name, p in network.named_parameters() if p.grad is None or not p.grad.any()]


@pytest.mark.parametrize("precision", ["bf16", "fp16"])
def test_reduced_precision_stays_near_and_its_second_derivatives_point_the_same_way(precision):
    G = fill(Generator(8, num_fp16_res=2, **SMALL))
    D = fill(Discriminator(num_fp16_res=2, **SMALL))
    z, img = R(1, [4, 8]), R(2, [4, 3, 16, 16]).requires_grad_()

    def results():
        logits = D(img)
        return G(z), logits, gradients(r1_penalty(img, logits).mean(), D)

    exact = results()
    G.precision = D.precision = precision
    reduced = results()
    for a, b in zip(exact[:2], reduced[:2], strict=True):
        assert b.dtype == torch.float32
        assert not torch.equal(a, b)
        assert (a - b).std() < 0.02 * a.std()
    for name, g in exact[2].items():
        if g.any() and not name.endswith("bias"):
            assert torch.cosine_similarity(g.flatten(), reduced[2][name].flatten(), dim=0) > 0.98, name


def test_only_marked_resolutions_leave_float32():
    G, D = Generator(8, num_fp16_res=2, **SMALL), Discriminator(num_fp16_res=2, **SMALL)
    seen = {}
    for network in (G, D):
        network.precision = "bf16"
        for name, module in network.named_modules():
            if name.endswith("blocks"):
                module.register_forward_hook(lambda _, __, y, name=name: seen.update({name: y}))
    D(G(R(1, [2, 8])))
    for name, y in seen.items():
        assert y.dtype == (torch.float32 if "b4." in name else torch.bfloat16)
        assert y.is_contiguous(memory_format=torch.channels_last)
    assert len(seen) == 6


def test_fresh_blocks_change_nothing_and_weights_have_the_published_deviation():
    torch.manual_seed(0)
    G = Generator(64, img_resolution=16, channel_base=2048, channel_max=64)
    D = Discriminator(50, img_resolution=16, channel_base=2048, channel_max=64)
    assert not any(p.any() for network in (G, D) for name, p in network.named_parameters() if name.endswith("bias"))
    block = G.synthesis.b8.blocks[0]
    x = torch.randn(2, 64, 8, 8)
    assert torch.equal(block(x), x)
    num_blocks = 2 * 3
    gain = math.sqrt(2 / 1.04) * num_blocks**-0.25
    for weight, deviation in (
        (block.expand, gain / 8),
        (block.grouped, gain / 12),
        (G.synthesis.linear, 1 / 8),
        (D.depthwise, 1 / 4),
        (D.mapping.embed, 1 / 8 / math.sqrt(50)),
    ):
        assert weight.std().item() == pytest.approx(deviation, rel=0.1)


def test_truncation_shrinks_the_latent_and_keeps_the_label():
    G = fill(Generator(8, 3, **SMALL))
    z, c = R(1, [3, 8]), torch.eye(3)
    ws = G.mapping(z, c)
    assert_close(ws[:, 0, :8], z)
    half = G.mapping(z, c, truncation_psi=0.5)
    assert_close(half[:, 0, :8], z / 2)
    assert_close(half[:, 0, 8:], ws[:, 0, 8:])
    assert_close(G.mapping(z, c, truncation_psi=0.5, truncation_cutoff=1), half)
    assert_close(G.mapping(z, c, truncation_psi=0.5, truncation_cutoff=0), ws)
    middle = G(R(1, [3, 8]), c[[0, 0, 1]], truncation_psi=0)
    assert_close(middle[0], middle[1])
    assert not torch.allclose(middle[0], middle[2])
    centered = ClassCentered(G).mapping(z, c, truncation_psi=0.0)
    assert_close(centered[:, 0, 8:], ws[:, 0, 8:])
    assert centered[:, 0, :8].abs().max() < 0.1


def test_there_is_no_noise():
    G = fill(Generator(8, **SMALL))
    assert torch.equal(G(R(1, [2, 8]), noise_mode="random"), G(R(1, [2, 8]), noise_mode="none"))


def test_a_checkpoint_returns_both_networks(tmp_path):
    G, D = fill(Generator(8, 3, embed_dim=5, num_fp16_res=1, **SMALL)), fill(Discriminator(3, embed_dim=6, **SMALL))
    save(Checkpoint(G_ema=G, D=D), tmp_path / "net")
    loaded = load_checkpoint(tmp_path / "net")
    z, c = R(1, [3, 8]), torch.eye(3)
    assert (loaded.G_ema.settings, loaded.D.settings) == (G.settings, D.settings)
    assert torch.equal(loaded.G_ema(z, c), G(z, c))
    assert torch.equal(loaded.D(G(z, c), c), D(G(z, c), c))


def test_mistakes_get_one_sentence():
    with pytest.raises(ConfigError, match="group_size must divide the 40 expanded channels at 128x128, got 16; change"):
        DiscriminatorSettings(channel_base=2560)
    with pytest.raises(ConfigError, match="leave no channel at 256x256"):
        GeneratorSettings(channel_base=128)
    G, D = Generator(8, 3, **SMALL), Discriminator(3, **SMALL)
    with pytest.raises(ShapeError, match=r"takes labels c \[N, 3\], got None"):
        D(torch.zeros(2, 3, 16, 16))
    with pytest.raises(ShapeError, match=r"takes labels c \[N, 3\], got None"):
        G(torch.zeros(2, 8))
    with pytest.raises(ShapeError, match=r"takes img \[N, 3, 16, 16\], got \[2, 3, 8, 8\]"):
        D(torch.zeros(2, 3, 8, 8), torch.eye(3)[:2])
    with pytest.raises(ShapeError, match="unconditional and takes c=None"):
        Discriminator(**SMALL)(torch.zeros(2, 3, 16, 16), torch.eye(3)[:2])
