"""The minimal StyleGAN2: the five modules of its specification, held to the letter."""

import inspect
import math
from inspect import Parameter

import pytest
import torch
import torch.nn.functional as F
from torch import nn
from torch.testing import assert_close

import stylegan.minimal
from stylegan.errors import ShapeError
from stylegan.networks import minimal
from stylegan.networks.minimal import Discriminator, Generator, GradientPenalty, MappingNetwork, PathLengthPenalty

REQUIRED = Parameter.empty
SIGNATURES = {  # name: (constructor, forward)
    "MappingNetwork": ({"features": REQUIRED, "n_layers": REQUIRED}, ["z"]),
    "Generator": (
        {"log_resolution": REQUIRED, "d_latent": REQUIRED, "n_features": 32, "max_features": 512},
        ["w", "input_noise"],
    ),
    "Discriminator": ({"log_resolution": REQUIRED, "n_features": 64, "max_features": 512}, ["x"]),
    "GradientPenalty": ({}, ["x", "d"]),
    "PathLengthPenalty": ({"beta": REQUIRED}, ["w", "x"]),
}
COUNTS = [  # log resolution; parameters and trainable parameters of G, then those of D
    (5, 1_899_004, 1_898_995, 4_868_101, 4_868_047),
    (6, 6_232_321, 6_232_312, 9_850_391, 9_850_319),
    (8, 17_250_571, 17_250_562, 19_814_971, 19_814_863),
]


def numel(network: nn.Module, trainable: bool = False) -> int:
    return sum(p.numel() for p in network.parameters() if p.requires_grad or not trainable)


def noise(G: Generator, n: int):
    sizes = [4 * 2**i for i in range(G.n_blocks)]
    return [(torch.randn(n, 1, r, r) if i else None, torch.randn(n, 1, r, r)) for i, r in enumerate(sizes)]


def no_noise(G: Generator):
    return [(None, None)] * G.n_blocks


def small_generator(log_resolution: int = 4) -> Generator:
    G = Generator(log_resolution, 6, n_features=4, max_features=8)
    with torch.no_grad():
        for name, p in G.named_parameters():
            if name.endswith("scale_noise"):
                p.fill_(0.5)
    return G


@pytest.mark.parametrize("name", SIGNATURES)
def test_names_arguments_and_defaults_are_those_of_the_specification(name):
    constructor, forward = SIGNATURES[name]
    module = getattr(minimal, name)
    assert getattr(stylegan.minimal, name) is module
    parameters = inspect.signature(module).parameters.values()
    assert {p.name: p.default for p in parameters if p.kind is Parameter.POSITIONAL_OR_KEYWORD} == constructor
    assert list(inspect.signature(module.forward).parameters) == ["self", *forward]
    assert issubclass(module, nn.Module)
    with pytest.raises(TypeError):
        module(*range(len(constructor) + 1))


@pytest.mark.parametrize(("log_resolution", "g", "g_trainable", "d", "d_trainable"), COUNTS)
def test_numbers_of_parameters_are_the_published_ones(log_resolution, g, g_trainable, d, d_trainable):
    with torch.device("meta"):
        G, D = Generator(log_resolution, 512), Discriminator(log_resolution)
        assert numel(MappingNetwork(512, 8)) == 2_101_248
    assert (numel(G), numel(G, trainable=True)) == (g, g_trainable)
    assert (numel(D), numel(D, trainable=True)) == (d, d_trainable)
    assert G.n_blocks == log_resolution - 1
    assert list(G.buffers()) == list(D.buffers()) == []


def test_mapping_state_dict_holds_the_even_modules():
    assert list(MappingNetwork(4, 2).state_dict()) == [
        f"net.{i}.{leaf}" for i in (0, 2) for leaf in ("bias", "weight.weight")
    ]


def test_generator_state_dict_has_the_documented_names_and_shapes():
    shapes = {name: tuple(v.shape) for name, v in Generator(3, 6, n_features=4, max_features=8).state_dict().items()}

    def style(name, i, o):
        return {
            f"{name}.to_style.bias": (i,),
            f"{name}.to_style.weight.weight": (i, 6),
            f"{name}.conv.weight.weight": (o, i, 3, 3),
            f"{name}.scale_noise": (1,),
            f"{name}.bias": (o,),
        }

    def rgb(name, i):
        return {
            f"{name}.to_style.bias": (i,),
            f"{name}.to_style.weight.weight": (i, 6),
            f"{name}.conv.weight.weight": (3, i, 1, 1),
            f"{name}.bias": (3,),
        }

    assert shapes == {
        "initial_constant": (1, 8, 4, 4),
        **style("style_block", 8, 8),
        **rgb("to_rgb", 8),
        **style("blocks.0.style_block1", 8, 4),
        **style("blocks.0.style_block2", 4, 4),
        **rgb("blocks.0.to_rgb", 4),
        "up_sample.smooth.kernel": (1, 1, 3, 3),
    }


def test_discriminator_state_dict_has_the_documented_names_and_shapes():
    shapes = {name: tuple(v.shape) for name, v in Discriminator(3, n_features=4).state_dict().items()}
    assert shapes == {
        "from_rgb.0.bias": (4,), "from_rgb.0.weight.weight": (4, 3, 1, 1),
        "blocks.0.residual.0.smooth.kernel": (1, 1, 3, 3),
        "blocks.0.residual.1.bias": (8,), "blocks.0.residual.1.weight.weight": (8, 4, 1, 1),
        "blocks.0.block.0.bias": (4,), "blocks.0.block.0.weight.weight": (4, 4, 3, 3),
        "blocks.0.block.2.bias": (8,), "blocks.0.block.2.weight.weight": (8, 4, 3, 3),
        "blocks.0.down_sample.smooth.kernel": (1, 1, 3, 3),
        "conv.bias": (9,), "conv.weight.weight": (9, 9, 3, 3),
        "final.bias": (1,), "final.weight.weight": (1, 36),
    }  # fmt: skip


def test_initial_values_are_the_documented_ones():
    G, D, f = Generator(3, 6), Discriminator(3, n_features=4), MappingNetwork(4, 1)
    assert all((p == 1).all() for name, p in G.named_parameters() if name.endswith("to_style.bias"))
    assert all((p == 0).all() for name, p in G.named_parameters() if name.endswith("scale_noise"))
    assert all((p == 1).all() for name, p in D.named_parameters() if name.endswith("bias") and name != "final.bias")
    assert (D.final.bias == 0).all()
    assert (f.net[0].bias == 0).all()


def test_mapping_is_linear_layers_on_a_z_of_unit_length():
    f, z = MappingNetwork(6, 2), torch.randn(3, 6)
    x = z / z.norm(dim=1, keepdim=True)
    for i in (0, 2):
        x = F.leaky_relu(x @ f.net[i].weight.weight.t() / math.sqrt(6) + f.net[i].bias, 0.2)
    assert_close(f(z), x)
    assert_close(f(7 * z), x)


@pytest.mark.parametrize("log_resolution", [2, 3, 5])
def test_shapes_are_the_promised_ones(log_resolution):
    G = Generator(log_resolution, 6, n_features=4, max_features=8)
    D = Discriminator(log_resolution, n_features=4, max_features=8)
    r = 2**log_resolution
    assert len(G.blocks) == len(D.blocks) == G.n_blocks - 1
    rgb = G(torch.randn(G.n_blocks, 4, 6), noise(G, 4))
    assert rgb.shape == (4, 3, r, r)
    assert D(rgb).shape == (4, 1)
    assert MappingNetwork(6, 2)(torch.randn(4, 6)).shape == (4, 6)


def test_each_block_takes_its_own_style():
    G = small_generator()
    w = torch.randn(G.n_blocks, 2, 6)
    plain = G(w, no_noise(G))
    for i in range(G.n_blocks):
        mixed = w.clone()
        mixed[i] = torch.randn(2, 6)
        assert (G(mixed, no_noise(G)) - plain).abs().max() > 1e-3
    last = w.clone()
    last[-1, 1] += 1
    assert_close(G(last, no_noise(G))[0], plain[0])  # the other image keeps its style


def test_both_noises_of_a_block_are_used_but_the_first_of_the_first_block():
    G = small_generator()
    w, pairs = torch.randn(G.n_blocks, 2, 6), noise(G, 2)
    plain = G(w, pairs)
    assert torch.equal(G(w, [(torch.randn(2, 1, 4, 4), pairs[0][1]), *pairs[1:]]), plain)
    for i in range(G.n_blocks):
        for j in (0, 1):
            if (i, j) != (0, 0):
                changed = [list(p) for p in pairs]
                changed[i][j] = None
                assert (G(w, changed) - plain).abs().max() > 1e-4


def test_the_first_image_is_a_styled_constant_with_an_activation_after_to_rgb():
    G = small_generator(2)
    with torch.no_grad():
        G.to_rgb.bias.copy_(torch.tensor([-50.0, 0, 50]))
    w = torch.randn(1, 2, 6)
    x = G.style_block(G.initial_constant.expand(2, -1, -1, -1), w[0], None)
    style = w[0] @ G.to_rgb.to_style.weight.weight.t() / math.sqrt(6) + 1
    weight = G.to_rgb.conv.weight.weight[:, :, 0, 0] / math.sqrt(4)  # 4 channels
    rgb = torch.einsum("nihw,ni,oi->nohw", x, style, weight) + G.to_rgb.bias[None, :, None, None]
    assert_close(G(w, no_noise(G)), torch.where(rgb > 0, rgb, 0.2 * rgb))


def test_a_style_block_is_the_equations_of_the_specification():
    block = minimal.StyleBlock(6, 4, 5)
    nn.init.normal_(block.bias)
    nn.init.constant_(block.scale_noise, 0.3)
    x, w, n = torch.randn(2, 4, 8, 8), torch.randn(2, 6), torch.randn(2, 1, 8, 8)
    s = block.to_style(w)
    weight = s[:, None, :, None, None] * block.conv.weight.weight / math.sqrt(36)
    weight = weight / (weight.square().sum([2, 3, 4], keepdim=True) + 1e-8).sqrt()
    y = torch.cat([F.conv2d(x[i : i + 1], weight[i], padding=1) for i in range(2)])
    assert_close(block(x, w, n), F.leaky_relu(y + 0.3 * n + block.bias[None, :, None, None], 0.2))


def test_resampling_keeps_an_even_image_even_to_the_border():
    x = torch.full([1, 2, 8, 8], 0.7)
    assert_close(minimal.UpSample()(x), torch.full([1, 2, 16, 16], 0.7))
    assert_close(minimal.DownSample()(x), torch.full([1, 2, 4, 4], 0.7))


def test_the_blur_is_a_binomial_and_never_trained():
    x = torch.zeros(1, 1, 5, 5)
    x[0, 0, 2, 2] = 16
    smooth = minimal.Smooth()
    assert smooth(x)[0, 0, 1:4, 1:4].tolist() == [[1, 2, 1], [2, 4, 2], [1, 2, 1]]
    assert not smooth.kernel.requires_grad


def test_minibatch_deviation_is_one_unbiased_number_for_the_whole_batch():
    x = torch.randn(8, 3, 4, 4)
    y = minimal.MiniBatchStdDev()(x)
    assert y.shape == (8, 4, 4, 4)
    expected = (x.reshape(4, 2, 3, 4, 4).var(0, unbiased=True) + 1e-8).sqrt().mean()
    assert_close(y[:, 3], expected.expand(8, 4, 4))
    assert torch.equal(y[:, :3], x)


def test_batches_and_shapes_that_do_not_fit_are_refused():
    G = small_generator(3)
    with pytest.raises(ShapeError, match=r"the batch must be divisible by 4, got 6 images\."):
        Discriminator(2, n_features=4)(torch.zeros(6, 3, 4, 4))
    text = r"generator takes w \[2, batch, d_latent\] and 2 pairs of noise, got w \[2, 6\] and 2 pairs\."
    with pytest.raises(ShapeError, match=text):
        G(torch.zeros(2, 6), no_noise(G))
    with pytest.raises(ShapeError, match=r"got w \[2, 1, 6\] and 1 pairs\."):
        G(torch.zeros(2, 1, 6), no_noise(G)[:1])
    with pytest.raises(
        ShapeError, match=r"w must be \[batch, d_latent\] or \[n_blocks, batch, d_latent\], got \[3\]\."
    ):
        PathLengthPenalty(0.9)(torch.zeros(3), torch.zeros(3, 3, 4, 4))


def test_gradient_penalty_is_the_mean_squared_norm():
    x, a = torch.randn(3, 3, 4, 4, requires_grad=True), torch.randn(3, 4, 4, requires_grad=True)
    d = (a * x.square()).sum([1, 2, 3])[:, None] / 2  # dD/dx = a x
    loss = GradientPenalty()(x, d)
    assert loss.shape == ()
    assert_close(loss, (a * x).square().sum([1, 2, 3]).mean())
    (gradient,) = torch.autograd.grad(loss, a)
    assert_close(gradient, (2 * a * x.square()).sum(0) / 3)


def lengths(w, x, y):
    """||J_w^T y||: of each image, or of each block as the root of the mean over the batch."""
    (g,) = torch.autograd.grad((x * y).sum() / math.sqrt(x.shape[2] * x.shape[3]), w, retain_graph=True)
    squares = g.square().sum(-1)
    return (squares.mean(1) if w.ndim == 3 else squares).sqrt()


@pytest.mark.parametrize("shape", [(4, 6), (3, 4, 6)])
def test_path_length_penalty_follows_the_bias_corrected_mean_of_earlier_steps(shape):
    beta, penalty, jacobian = 0.9, PathLengthPenalty(0.9), torch.randn(6, 3 * 4 * 5, requires_grad=True)
    total = 0.0
    for step in range(4):
        w = torch.randn(shape, requires_grad=True)
        x = ((w if len(shape) == 2 else w.square().sum(0)) @ jacobian).reshape(4, 3, 4, 5)
        torch.manual_seed(step)
        loss = penalty(w, x)
        torch.manual_seed(step)
        norm = lengths(w, x, torch.randn_like(x))
        assert norm.shape == shape[:1]  # images, or blocks
        expected = (norm - total / (1 - beta**step)).square().mean() if step else torch.tensor(0.0)
        assert_close(loss, expected, rtol=1e-4, atol=1e-5)
        assert loss.requires_grad
        total = beta * total + (1 - beta) * norm.mean().item()
        assert penalty.steps == step + 1
        assert penalty.exp_sum_a.item() == pytest.approx(total, rel=1e-5)


def test_path_length_state_is_saved_but_not_trained():
    penalty = PathLengthPenalty(0.9)
    assert list(penalty.state_dict()) == ["steps", "exp_sum_a"]
    assert not any(p.requires_grad for p in penalty.parameters())


def test_one_step_of_both_networks_with_both_penalties_moves_every_parameter():
    f, G, D = MappingNetwork(6, 2), small_generator(), Discriminator(4, n_features=4, max_features=8)
    gradient_penalty, path_length = GradientPenalty(), PathLengthPenalty(0.9)

    def images():
        w = f(torch.randn(4, 6))[None].repeat(G.n_blocks, 1, 1)
        return w, G(w, noise(G, 4))

    path_length(*images())
    for networks in ([D], [f, G]):
        parameters = [p for network in networks for p in network.parameters() if p.requires_grad]
        before = [p.detach().clone() for p in parameters]
        adam = torch.optim.Adam(parameters, lr=1e-3, betas=(0.0, 0.99))
        if networks == [D]:
            real = torch.rand(4, 3, 16, 16, requires_grad=True)
            d = D(real)
            loss = F.softplus(-d).mean() + F.softplus(D(images()[1].detach())).mean() + 5 * gradient_penalty(real, d)
        else:
            w, x = images()
            loss = F.softplus(-D(x)).mean() + path_length(w, x)
        loss.backward()
        adam.step()
        assert loss.isfinite()
        for p, old in zip(parameters, before, strict=True):
            assert p.isfinite().all()
            assert not torch.equal(p, old)
    assert all((p == minimal.Smooth().kernel).all() for name, p in D.named_parameters() if name.endswith("kernel"))
