"""Common properties of ProGAN and StyleGAN1: growing, gradients, precision, counts."""

from dataclasses import asdict

import pytest
import torch
from golden import R, fill
from torch.testing import assert_close

from stylegan.errors import ConfigError, ShapeError
from stylegan.losses.r1 import r1_penalty
from stylegan.losses.wasserstein_gp import gradient_penalty
from stylegan.networks import progan, stylegan1

SMALL = {"img_resolution": 16, "channel_base": 128, "channel_max": 12}
GENERATIONS = pytest.mark.parametrize("family", [progan, stylegan1], ids=["progan", "stylegan1"])
LODS = [0.0, 0.3, 1.0, 1.6, 2.0]


def generator(family, c_dim: int = 0, lod: float = 0.0, **options):
    G = fill(family.Generator(8, c_dim, **{**SMALL, **options}))
    for name, p in G.named_parameters():  # keep brightness in the range of images
        if name.endswith("torgb.weight"):
            p.data.mul_(0.3)
    G.lod.fill_(lod)
    return G


def discriminator(family, c_dim: int = 0, lod: float = 0.0, **options):
    D = fill(family.Discriminator(c_dim, **{**SMALL, **options}))
    D.lod.fill_(lod)
    return D


def parameters(network) -> int:
    return sum(p.numel() for p in network.parameters())


@pytest.mark.parametrize(
    ("family", "resolution", "totals"),
    [
        (progan, 1024, (23_079_115, 23_087_249)),
        (progan, 256, (23_044_309, 23_052_353)),
        (stylegan1, 1024, (26_219_627, 23_087_249)),
        (stylegan1, 256, (26_086_229, 23_052_353)),
    ],
)
def test_parameters_are_as_many_as_in_the_official_networks(family, resolution, totals):
    with torch.device("meta"):
        G, D = family.Generator(img_resolution=resolution), family.Discriminator(img_resolution=resolution)
    assert (parameters(G), parameters(D)) == totals
    if totals[0] == 26_219_627:
        unused = sum(parameters(getattr(G.synthesis, f"b{r}").torgb) for r in G.synthesis.block_resolutions[:-1])
        assert totals[0] - unused == 26_212_019


@GENERATIONS
@pytest.mark.parametrize("resolution", [4, 8, 32, 128, 1024])
@pytest.mark.parametrize("img_channels", [1, 3, 4])
def test_every_size_and_number_of_colors_has_the_promised_shape(family, resolution, img_channels):
    with torch.device("meta"):
        options = {"img_resolution": resolution, "img_channels": img_channels}
        G, D = family.Generator(16, **options), family.Discriminator(**options)
        ws = torch.empty(2, G.num_ws, G.w_dim)
    G.synthesis.lod = D.lod = torch.zeros([])  # whose value is read
    img = G.synthesis(ws)
    assert img.shape == (2, img_channels, resolution, resolution)
    assert D(img).shape == (2, 1)


@GENERATIONS
@pytest.mark.parametrize("lod", [0.5, 1.0, 1.5, 2.0])
def test_images_and_logits_are_continuous_in_lod(family, lod):
    G, D = generator(family), discriminator(family)
    ws, img, step = G.mapping(R(1, [4, 8])), R(2, [4, 3, 16, 16]), 2e-7
    images, logits = [], []
    for value in (lod - step, lod, lod + step):
        G.lod.fill_(value)
        D.lod.fill_(value)
        images.append(G.synthesis(ws, noise_mode="const"))
        logits.append(D(img))
    for values in (images, logits):
        scale = values[1].abs().max().item()
        assert_close(values[0], values[1], rtol=0, atol=1e-5 * scale)
        assert_close(values[2], values[1], rtol=0, atol=1e-5 * scale)


@GENERATIONS
def test_a_whole_lod_is_the_smaller_network_enlarged(family):
    G, D = generator(family, lod=1.0), discriminator(family, lod=1.0)
    small_G, small_D = (
        family.Generator(8, **{**SMALL, "img_resolution": 8}),
        family.Discriminator(**{**SMALL, "img_resolution": 8}),
    )
    small_G.load_state_dict({k: v for k, v in G.state_dict().items() if k in small_G.state_dict()})
    small_D.load_state_dict({k: v for k, v in D.state_dict().items() if k in small_D.state_dict()})
    small_G.lod.zero_()
    small_D.lod.zero_()
    ws = G.mapping(R(1, [4, 8]))
    img = G.synthesis(ws, noise_mode="const")
    small_img = small_G.synthesis(ws[:, : small_G.num_ws], noise_mode="const")
    assert_close(img, small_img.repeat_interleave(2, 2).repeat_interleave(2, 3))
    assert_close(D(img), small_D(small_img))


@GENERATIONS
def test_blocks_above_the_lod_are_not_computed(family):
    G, D = generator(family, lod=0.5), discriminator(family, lod=0.5)
    computed = []
    for name, module in [*G.named_modules(), *D.named_modules()]:
        module.register_forward_hook(lambda *_, name=name: computed.append(name))
    D(G(R(1, [2, 8])))
    assert {"synthesis.b16", "synthesis.b8", "b16", "b8", "b16.fromrgb", "b8.fromrgb"} <= set(computed)
    assert "b4.fromrgb" not in computed
    computed.clear()
    G.lod.fill_(1.0)
    D.lod.fill_(1.0)
    D(G(R(1, [2, 8])))
    assert not [name for name in computed if "b16" in name]


@GENERATIONS
@pytest.mark.parametrize("lod", LODS)
def test_gradients_reach_what_is_drawn_with_and_nothing_else(family, lod):
    G, D = generator(family, 3, lod), discriminator(family, 3, lod)
    c = torch.eye(3)[[0, 1, 2, 0]]
    img = G(R(1, [4, 8]), c, noise_mode="const")
    if family is progan:
        D.score_and_labels(img)[1].square().sum().backward(retain_graph=True)
    D(img, c).sum().backward()
    grown, fading = 2 - int(lod), lod % 1 > 0
    for network, rgb in ((G, "torgb"), (D, "fromrgb")):
        for name, p in network.named_parameters():
            r = next((int(part[1:]) for part in name.split(".") if part[0] == "b" and part[1:].isdigit()), 4)
            used = r <= 4 * 2**grown
            if rgb in name:
                used = r == 4 * 2**grown or (fading and r == 2 * 2**grown)
            assert (p.grad is not None and p.grad.abs().sum() > 0) == used, name


@GENERATIONS
@pytest.mark.parametrize("lod", [0.0, 0.4])
@pytest.mark.parametrize("precision", ["fp32", "bf16"])
def test_r1_and_gradient_penalty_train_the_discriminator(family, precision, lod):
    found = {}
    for used in {"fp32", precision}:
        D = discriminator(family, lod=lod, num_fp16_res=2)
        D.precision = used
        img = R(2, [4, 3, 16, 16]).requires_grad_()
        penalty = r1_penalty(img, D(img)) + gradient_penalty(img, D(img))
        penalty.sum().backward()
        found[used] = {name: p.grad for name, p in D.named_parameters() if name.endswith("weight")}
    for name, exact in found["fp32"].items():
        if exact is not None:
            assert 0 < exact.abs().sum() < torch.inf, name
            assert torch.cosine_similarity(exact.flatten(), found[precision][name].flatten(), dim=0) > 0.95, name


@GENERATIONS
def test_second_derivatives_of_images_are_finite_in_bf16(family):
    G = generator(family, num_fp16_res=2)
    G.precision = "bf16"
    ws = G.mapping(R(1, [2, 8])).requires_grad_()
    (gradient,) = torch.autograd.grad(G.synthesis(ws, noise_mode="const").square().sum(), ws, create_graph=True)
    gradient.square().sum().backward()
    assert all(p.grad is None or p.grad.isfinite().all() for p in G.parameters())
    assert G.synthesis.b16.layer1.weight.grad.abs().sum() > 0


@GENERATIONS
@pytest.mark.parametrize("precision", ["bf16", "fp16"])
def test_reduced_precision_stays_near_float32(family, precision):
    G, D = generator(family, num_fp16_res=2, conv_clamp=256), discriminator(family, num_fp16_res=2, conv_clamp=256)
    z = R(1, [4, 8])
    exact, exact_logits = G(z, noise_mode="const"), D(R(2, [4, 3, 16, 16]))
    G.precision = D.precision = precision
    img, logits = G(z, noise_mode="const"), D(R(2, [4, 3, 16, 16]))
    assert img.dtype == logits.dtype == torch.float32
    assert not torch.equal(img, exact)
    assert 10 * torch.log10((exact.max() - exact.min()).square() / (img - exact).square().mean()) > 35
    assert_close(logits, exact_logits, rtol=0.05, atol=0.05 * exact_logits.abs().max().item())


@GENERATIONS
def test_layers_keep_channels_last(family):
    G, D = generator(family), discriminator(family)
    layouts = []
    for module in [*G.synthesis.children(), *D.children()]:
        module.register_forward_hook(lambda _, __, y: layouts.append(y.ndim < 4 or y.stride(1) == 1))
    D(G(R(1, [2, 8])))
    assert layouts
    assert all(layouts)


@GENERATIONS
def test_a_network_is_rebuilt_from_its_arguments(family):
    for network in (generator(family, 3), discriminator(family, 3)):
        twin = type(network)(**asdict(network.settings))
        twin.load_state_dict(network.state_dict())
        assert twin.settings == network.settings


@GENERATIONS
def test_mistakes_get_one_sentence(family):
    G, D = generator(family), discriminator(family)
    with pytest.raises(ConfigError, match="img_resolution must be a power of two from 4 to 8192, got 20"):
        family.Generator(img_resolution=20)
    with pytest.raises(ShapeError, match=rf"synthesis at 16x16 takes ws \[N, {G.num_ws}, {G.w_dim}\], got \[2, 9, 9\]"):
        G.synthesis(torch.zeros(2, 9, 9))
    with pytest.raises(ConfigError, match="noise_mode must be one of random, const, none, got 'loud'"):
        G(R(1, [2, 8]), noise_mode="loud")
    with pytest.raises(ShapeError, match=r"mapping takes z \[N, 8\], got \[2, 7\]"):
        G(torch.zeros(2, 7))
    with pytest.raises(ShapeError, match=r"takes labels c \[N, 3\], got None"):
        generator(family, 3)(R(1, [2, 8]))
    with pytest.raises(ShapeError, match=r"unconditional and takes c=None, got \[2, 3\]"):
        G(R(1, [2, 8]), torch.zeros(2, 3))
    with pytest.raises(ShapeError, match=r"discriminator takes img \[N, 3, 16, 16\], got \[2, 3, 8, 8\]"):
        D(torch.zeros(2, 3, 8, 8))
    with pytest.raises(ConfigError, match="precision must be one of"):
        D.precision = "int8"
