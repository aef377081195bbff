"""Properties of the networks of every generation: any batch, any layout of the latents, any number of classes."""

from functools import partial

import pytest
import torch
from golden import fill
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import nn
from torch.testing import assert_close

from stylegan.errors import ShapeError
from stylegan.networks import minimal_gan, progan, r3gan, stylegan1, stylegan2, stylegan3
from stylegan.networks.family import ARCHITECTURES
from stylegan.networks.layers import MinibatchStd
from stylegan.networks.minimal import MiniBatchStdDev

pytestmark = pytest.mark.filterwarnings("ignore:var")  # of an empty batch
SMALL = {"img_resolution": 16, "channel_base": 64, "channel_max": 8}
GENERATORS = {
    "progan": partial(progan.Generator, 6, **SMALL),
    "stylegan1": partial(stylegan1.Generator, 6, w_dim=6, mapping_layers=2, **SMALL),
    "stylegan2": partial(stylegan2.Generator, 6, w_dim=6, mapping_layers=2, **SMALL),
    "stylegan3": partial(stylegan3.Generator, 6, w_dim=6, num_layers=5, **SMALL),
    "minimal": partial(minimal_gan.Generator, 6, w_dim=6, img_resolution=16, n_features=4, max_features=8),
    "r3gan": partial(r3gan.Generator, 6, group_size=4, **SMALL),
}
DISCRIMINATORS = {
    "progan": partial(progan.Discriminator, **SMALL),
    "stylegan1": partial(stylegan1.Discriminator, **SMALL),
    "stylegan2": partial(stylegan2.Discriminator, mapping_layers=2, **SMALL),
    "minimal": partial(minimal_gan.Discriminator, img_resolution=16, n_features=4, max_features=8),
    "r3gan": partial(r3gan.Discriminator, group_size=4, **SMALL),
}
LABELS = [(name, c_dim) for name in GENERATORS for c_dim in (0, 1, 5) if not (name == "minimal" and c_dim)]
few = settings(max_examples=6, deadline=None, derandomize=True, database=None)


def made(table, name: str, c_dim: int = 0) -> nn.Module:
    network = fill(table[name](c_dim=c_dim)).requires_grad_(False).eval()
    if hasattr(network, "lod"):
        network.lod.zero_()
    return network


def laid_out(x, layout: str):
    """Return these numbers in another layout or dtype."""
    if layout == "transposed":
        return x.mT.contiguous().mT
    if layout == "strided":
        return torch.stack([x, x], -1).flatten(1)[:, ::2]
    return x.double() if layout == "float64" else x


def test_every_generation_is_tried():
    assert set(GENERATORS) == set(ARCHITECTURES)
    assert set(DISCRIMINATORS) == set(ARCHITECTURES) - {"stylegan3"}  # which has that of StyleGAN2


@pytest.mark.parametrize(("name", "c_dim"), LABELS)
@few
@given(n=st.sampled_from([0, 1, 3, 5]), layout=st.sampled_from(["plain", "transposed", "strided", "float64"]))
def test_an_image_depends_on_its_own_latent_alone_in_any_batch_and_layout(name, c_dim, n, layout):
    G = made(GENERATORS, name, c_dim)
    z = torch.randn(n, 6)
    c = torch.eye(5)[torch.arange(n) % 5][:, :c_dim] if c_dim else None
    options = {"truncation_psi": 0.7, "noise_mode": "const"}
    images = G(laid_out(z, layout), None if c is None else laid_out(c, layout), **options)
    assert (images.shape, images.dtype) == ((n, 3, 16, 16), torch.float32)
    for k in range(n):
        alone = G(z[k : k + 1], None if c is None else c[k : k + 1], **options)
        assert_close(images[k : k + 1], alone, rtol=1e-4, atol=1e-4 * float(alone.abs().max()))


@pytest.mark.parametrize(("name", "c_dim"), LABELS)
def test_latents_and_labels_of_another_width_or_number_are_one_sentence(name, c_dim):
    G = made(GENERATORS, name, c_dim)
    c = torch.ones(2, c_dim) if c_dim else None
    wrong = [(torch.randn(2, 7), c), (torch.randn(6), c), (torch.randn(2, 6), torch.ones(2, c_dim + 1))]
    if c_dim:
        wrong += [(torch.randn(2, 6), None), (torch.randn(2, 6), torch.ones(3, c_dim))]
    for z, label in wrong:
        with pytest.raises(ShapeError):
            G(z, label)
    with pytest.raises(ShapeError):
        G.synthesis(torch.randn(2, G.num_ws + 1, G.w_dim))


@pytest.mark.parametrize("name", DISCRIMINATORS)
@pytest.mark.parametrize("c_dim", [0, 1, 5])
def test_logits_are_those_of_the_images_in_any_layout_and_a_batch_without_groups_is_one_sentence(name, c_dim):
    if name == "minimal" and c_dim:
        return
    D = made(DISCRIMINATORS, name, c_dim)
    img, c = torch.randn(8, 3, 16, 16), torch.eye(5)[torch.arange(8) % 5][:, :c_dim] if c_dim else None
    logits = D(img, c)
    assert (logits.shape, logits.dtype) == ((8, 1), torch.float32)
    for other in (img.double(), img.mT.contiguous().mT, img.contiguous(memory_format=torch.channels_last)):
        assert_close(D(other, c), logits, rtol=1e-4, atol=1e-4 * float(logits.abs().max()))
    assert D(img[:0], None if c is None else c[:0]).shape == (0, 1)
    wrong = [img[:, :1], img[..., 1:], img[0]]
    if any(isinstance(module, (MinibatchStd, MiniBatchStdDev)) for module in D.modules()):
        wrong.append(img[:5])
    for x in wrong:
        with pytest.raises(ShapeError):
            D(x, None if c is None else c[: len(x)])
    if c_dim:
        with pytest.raises(ShapeError):
            D(img, c[:3])


@pytest.mark.parametrize("name", DISCRIMINATORS)
def test_a_discriminator_whose_logits_depend_on_the_batch_says_so(name):
    D = made(DISCRIMINATORS, name)
    img = torch.randn(8, 3, 16, 16)
    img[4:] *= 3
    depends = not torch.allclose(D(img)[:4], D(img[:4]), rtol=1e-3)
    assert depends == ("depends on the other images of its batch" in type(D).__doc__)
    for module in D.modules():
        if isinstance(module, (MinibatchStd, MiniBatchStdDev)):
            module.group_size = 1
    if name != "minimal":  # whose statistic is one number for the batch in any case
        assert_close(D(img)[:4], D(img[:4]), rtol=1e-4, atol=1e-4 * float(D(img).abs().max()))
        assert len(D(img[:5])) == 5


@pytest.mark.parametrize("network", [*GENERATORS.values(), *DISCRIMINATORS.values()], ids=str)
def test_a_printed_network_shows_its_sizes_and_those_of_every_weight(network):
    network = network()
    text = repr(network)
    assert "img_resolution=16, img_channels=3" in text.splitlines()[1]
    for name, parameter in network.named_parameters():
        if name.endswith("weight"):
            assert str(list(parameter.shape)) in text, name
    if hasattr(network, "mapping") and hasattr(network, "synthesis"):
        assert "num_ws=" in repr(network.for_inference()).splitlines()[1]
