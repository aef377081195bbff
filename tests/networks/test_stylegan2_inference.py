"""The form for inference draws the same pictures."""

import warnings

import pytest
import torch
from golden import R, fill

from stylegan.errors import ConfigError, ShapeError
from stylegan.networks import compiled
from stylegan.networks.stylegan2 import Generator
from stylegan.sampling.generate import generate
from stylegan.sampling.pictures import to_uint8


def network(**options) -> Generator:
    options = {"img_resolution": 32, "channel_base": 256, "channel_max": 16, "num_fp16_res": 2, **options}
    G = fill(Generator(8, options.pop("c_dim", 0), 8, mapping_layers=2, conv_clamp=256, **options))
    return G.requires_grad_(False)


def psnr(x, y) -> float:
    """Of pictures in [-1, 1], in dB."""
    return float(10 * torch.log10(4 / (x.clamp(-1, 1) - y.clamp(-1, 1)).square().mean()))


@pytest.mark.parametrize("noise_mode", ["const", "none"])
@pytest.mark.parametrize("c_dim", [0, 3])
@pytest.mark.parametrize("architecture", ["skip", "orig", "resnet"])
def test_fp32_pictures_differ_by_at_most_one_step(architecture, c_dim, noise_mode):
    G = network(architecture=architecture, c_dim=c_dim)
    fast = G.for_inference()
    z, c = R(1, [3, 8]), torch.eye(3) if c_dim else None
    options = {"truncation_psi": 0.7, "truncation_cutoff": 3, "noise_mode": noise_mode}
    slow_img, fast_img = G(z, c, **options), fast(z, c, **options)
    torch.testing.assert_close(fast_img, slow_img, rtol=1e-4, atol=1e-4)
    assert (to_uint8(slow_img).int() - to_uint8(fast_img).int()).abs().max() <= 1


@pytest.mark.parametrize("precision", ["bf16", "fp16"])
def test_reduced_precision_stays_near(precision):
    G = network()
    for name, p in G.named_parameters():  # an image range as of a trained network
        if name.endswith("torgb.weight"):
            p.mul_(0.25)
    z = R(1, [3, 8])
    exact, reduced = G(z, noise_mode="const"), G.for_inference(precision)(z, noise_mode="const")
    assert reduced.dtype == torch.float32
    assert psnr(exact, reduced) >= 40


def test_random_noise_is_new_every_time_and_as_strong():
    G = network()
    fast = G.for_inference()
    ws = G.mapping(R(1, [64, 8]))
    a, b = fast.synthesis(ws), fast.synthesis(ws)
    assert not torch.equal(a, b)
    slow = G.synthesis(ws) - G.synthesis(ws)
    assert (a - b).std() == pytest.approx(float(slow.std()), rel=0.05)


def test_attributes_and_sampling_are_those_of_the_network():
    G = network()
    fast = G.for_inference()
    for name in ("z_dim", "c_dim", "w_dim", "num_ws", "img_resolution", "img_channels"):
        assert getattr(fast, name) == getattr(G, name)
    for slow_img, fast_img in zip(generate(G, [3, 4]), generate(fast, [3, 4]), strict=True):
        assert (slow_img.int() - fast_img.int()).abs().max() <= 1


def test_the_network_is_left_as_it_was():
    G = network().requires_grad_(True)
    before = {k: v.clone() for k, v in G.state_dict().items()}
    img = G.for_inference("bf16")(R(1, [2, 8]))
    assert not img.requires_grad
    assert all(torch.equal(v, before[k]) for k, v in G.state_dict().items())
    assert all(p.requires_grad for p in G.parameters())


def test_a_compiler_that_fails_is_told_once_and_drawing_goes_on(monkeypatch):
    def broken(function, **options):
        def call(*args):
            raise RuntimeError("no C++ compiler\nand a long story")

        return call

    monkeypatch.setattr(compiled.torch, "compile", broken)
    G = network()
    fast = G.for_inference(compile=True)
    z = R(1, [2, 8])
    with pytest.warns(RuntimeWarning, match=r"torch.compile failed \(no C\+\+ compiler\); going on without it\."):
        img = fast(z, noise_mode="const")
    torch.testing.assert_close(img, G(z, noise_mode="const"), rtol=1e-4, atol=1e-4)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        fast(z, noise_mode="const")


def test_mistakes_get_one_sentence():
    G = network()
    with pytest.raises(ConfigError, match="precision must be one of auto, fp32, bf16, fp16, got 'int8'"):
        G.for_inference("int8")
    with pytest.raises(ShapeError, match=r"synthesis at 32x32 takes ws \[N, 8, 8\], got \[2, 4, 8\]"):
        G.for_inference().synthesis(torch.zeros(2, 4, 8))
    with pytest.raises(ConfigError, match="noise_mode must be one of random, const, none, got 'loud'"):
        G.for_inference().synthesis(torch.zeros(2, 8, 8), noise_mode="loud")
    with pytest.raises(ConfigError, match="knows the activation lrelu, got 'relu'"):
        network(activation="relu").for_inference()
