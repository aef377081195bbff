"""Networks of every generation in half precision and in float64: drawn, saved, loaded."""

import copy

import pytest
import torch
from golden import R
from tiny_generations import EVERY_GENERATION, discriminator, generator
from torch.testing import assert_close

import stylegan
from stylegan.networks.stylegan2 import Generator

Z = R(1, [3, 8])
OPTIONS = {"truncation_psi": 0.7, "noise_mode": "const"}


@EVERY_GENERATION
@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16])
def test_half_precision_weights_are_drawn_in_float32_and_saved(name, dtype, tmp_path):
    G = generator(name)
    img = G(Z, **OPTIONS)
    halved = copy.deepcopy(G).to(dtype)
    drawn = halved(Z, **OPTIONS)
    assert drawn.dtype == torch.float32
    assert (drawn - img).square().mean() < 2e-3 * img.square().mean()
    stylegan.save(halved, tmp_path / "net")
    assert_close(stylegan.load(tmp_path / "net", device="cpu")(Z, **OPTIONS), drawn, rtol=1e-5, atol=1e-5)
    assert_close(halved.for_inference()(Z, **OPTIONS), drawn, rtol=1e-4, atol=1e-4)


@EVERY_GENERATION
@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16])
def test_buffers_keep_float32(name, dtype):
    G = generator(name)
    before = {key: value.clone() for key, value in G.named_buffers()}
    for key, value in G.to(dtype).named_buffers():
        assert torch.equal(value, before[key])
        assert value.dtype == before[key].dtype


def test_half_precision_weights_take_half_the_memory():
    G = Generator(8, w_dim=8, img_resolution=16, channel_base=64, channel_max=8)
    assert {p.dtype for p in G.half().parameters()} == {torch.float16}


@EVERY_GENERATION
def test_float64_is_exact_from_z_to_the_image(name, tmp_path):
    """Two forms with different arithmetic agree to rounding in float64, which a step in float32 would exceed."""
    G = generator(name)
    if name in ("progan", "stylegan1"):
        G.lod.fill_(0.4)
    G.double()
    img = G(Z, **OPTIONS)
    assert img.dtype == torch.float64
    assert_close(G(Z.double(), **OPTIONS), img, rtol=0, atol=0)
    assert_close(G.for_inference()(Z, **OPTIONS), img, rtol=0, atol=1e-12)
    stylegan.save(G, tmp_path / "net")
    assert_close(stylegan.load(tmp_path / "net", device="cpu")(Z, **OPTIONS), img, rtol=0, atol=0)


@EVERY_GENERATION
def test_small_steps_of_z_change_the_float64_image_in_proportion(name):
    """Rounding to float32 anywhere would leave noise in steps this small."""
    G = generator(name).double()
    z, step = Z.double(), 1e-6 * R(2, [3, 8]).double()
    first = G(z + step, **OPTIONS) - G(z, **OPTIONS)
    second = G(z + 2 * step, **OPTIONS) - G(z + step, **OPTIONS)
    assert (first - second).norm() < 1e-3 * first.norm()


@EVERY_GENERATION
@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16, torch.float64])
def test_discriminators_take_images_of_any_format(name, dtype):
    D, img = discriminator(name), R(3, [4, 3, 16, 16]).clamp(-1, 1)
    logits = D(img)
    converted = D.to(dtype)(img)
    assert converted.dtype == (torch.float64 if dtype == torch.float64 else torch.float32)
    assert_close(converted.float(), logits, rtol=0.05, atol=0.05)


@EVERY_GENERATION
@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16, torch.float64])
def test_the_form_for_inference_is_converted_like_a_network(name, dtype):
    G = generator(name)
    img = G(Z, **OPTIONS)
    for precision in ("fp32",) if name == "minimal" else ("fp32", "bf16"):
        drawn = G.for_inference(precision).to(dtype)(Z, **OPTIONS)
        assert drawn.dtype == (torch.float64 if dtype == torch.float64 else torch.float32)
        assert (drawn - img).square().mean() < 2e-2 * img.square().mean()
