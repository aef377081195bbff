"""R1 and path length of StyleGAN2: second derivatives reach every weight and equal those of the slow twins."""

import pytest
import reference
import torch
from golden import R, fill
from torch.testing import assert_close

from stylegan.losses.logistic import generator_loss
from stylegan.losses.path_length import path_length_penalty, path_lengths
from stylegan.losses.r1 import r1_penalty
from stylegan.networks import layers, mapping, stylegan2, stylegan2_discriminator

SMALL = {"img_resolution": 16, "channel_base": 64, "channel_max": 6}
TWINS = {
    stylegan2: ("bias_act", "modulated_conv2d", "upsample2d"),
    stylegan2_discriminator: ("downsample2d",),
    layers: ("bias_act", "minibatch_std", "resample_conv2d"),
    mapping: ("pixel_norm",),
}


@pytest.fixture
def slow(monkeypatch):
    """A function that exchanges every op of the networks for its slow twin."""

    def exchange() -> None:
        for module, names in TWINS.items():
            for name in names:
                monkeypatch.setattr(module, name, getattr(reference, name))

    return exchange


def gradients(loss, network) -> dict[str, torch.Tensor | None]:
    parameters = dict(network.named_parameters())
    return dict(zip(parameters, torch.autograd.grad(loss, parameters.values(), allow_unused=True), strict=True))


def r1_gradients(D, c):
    x = R(2, [4, 3, 16, 16]).requires_grad_()
    return gradients(r1_penalty(x, D(x, c)).mean(), D)


def path_length_gradients(G, c):
    ws = G.mapping(R(1, [2, 8]), c)
    img = G.synthesis(ws, noise_mode="const")
    penalty, _ = path_length_penalty(path_lengths(img, ws, R(3, list(img.shape))), torch.tensor(1.0))
    return gradients(penalty.mean(), G)


def assert_same(network, fast, slow) -> None:
    largest = max(g.abs().max().item() for g in slow.values() if g is not None)
    for name, p in network.named_parameters():
        actual, expected = (torch.zeros_like(p) if g is None else g for g in (fast[name], slow[name]))
        scale = max(expected.abs().max().item(), 1e-2 * largest)  # smaller ones are sums that cancel
        assert_close(actual, expected, rtol=1e-4, atol=1e-4 * scale, msg=lambda m, n=name: f"{n}: {m}")


def unreached(found) -> set[str]:
    return {name for name, g in found.items() if g is None or not g.abs().sum() > 0}


@pytest.mark.parametrize("c_dim", [0, 3])
@pytest.mark.parametrize("architecture", ["resnet", "orig", "skip"])
def test_r1_gradients_equal_those_of_the_slow_twins(slow, architecture, c_dim):
    D = fill(stylegan2.Discriminator(c_dim, architecture=architecture, mapping_layers=2, conv_clamp=256, **SMALL))
    c = torch.eye(3)[[0, 1, 2, 0]] if c_dim else None
    fast = r1_gradients(D, c)
    slow()
    assert_same(D, fast, r1_gradients(D, c))
    # A bias is lost in the derivative unless something after it multiplies: the label does, behind the last layer.
    lost = {"b4.conv.bias", "b4.fc.bias", "b4.out.bias"}
    assert unreached(fast) <= lost
    assert all(g is None or g.isfinite().all() for g in fast.values())


@pytest.mark.parametrize("c_dim", [0, 3])
@pytest.mark.parametrize("architecture", ["skip", "orig", "resnet"])
def test_path_length_gradients_equal_those_of_the_slow_twins(slow, architecture, c_dim):
    G = fill(stylegan2.Generator(8, c_dim, 8, architecture=architecture, mapping_layers=2, conv_clamp=256, **SMALL))
    c = torch.eye(3)[:2] if c_dim else None
    fast = path_length_gradients(G, c)
    slow()
    assert_same(G, fast, path_length_gradients(G, c))
    assert unreached(fast) <= {name for name in fast if name.endswith("torgb.bias")}  # added last, so derived away
    assert all(g is None or g.isfinite().all() for g in fast.values())


@pytest.mark.parametrize("architecture", ["skip", "orig", "resnet"])
def test_the_main_loss_reaches_every_parameter_of_both_networks(architecture):
    G = fill(stylegan2.Generator(8, 3, 8, architecture=architecture, mapping_layers=2, **SMALL))
    D = fill(stylegan2.Discriminator(3, architecture=architecture, mapping_layers=2, **SMALL))
    c = torch.eye(3)[[0, 1, 2, 0]]
    loss = generator_loss(D(G(R(1, [4, 8]), c), c)).mean()
    loss.backward()
    for network in (G, D):
        assert unreached({name: p.grad for name, p in network.named_parameters()}) == set()


@pytest.mark.parametrize("precision", ["bf16", "fp16"])
def test_second_derivatives_in_reduced_precision_point_the_same_way(precision):
    D = fill(stylegan2.Discriminator(num_fp16_res=4, conv_clamp=256, **SMALL))
    exact = r1_gradients(D, None)
    D.precision = precision
    reduced = r1_gradients(D, None)
    for name, g in exact.items():
        if g is not None and name.endswith("weight"):
            assert torch.cosine_similarity(g.flatten(), reduced[name].flatten(), dim=0) > 0.95, name


def test_frozen_layers_get_no_gradient_but_the_rest_is_reached():
    D = fill(stylegan2.Discriminator(freeze_layers=4, **SMALL))
    found = r1_gradients(D, None)
    assert not [name for name in found if name.startswith("b16.")]
    assert unreached(found) <= {"b4.conv.bias", "b4.fc.bias", "b4.out.bias"}
