"""The form for inference of StyleGAN3 draws the same pictures."""

import math

import pytest
import torch
from golden import R, fill

from stylegan.errors import ConfigError, ShapeError
from stylegan.networks import compiled
from stylegan.networks.stylegan3 import Generator
from stylegan.sampling.generate import generate
from stylegan.sampling.pictures import to_uint8

KINDS = {"t": {}, "r": {"conv_kernel": 1, "use_radial_filters": True}}


def network(kind: str = "t", **options) -> Generator:
    options = {"img_resolution": 32, "channel_base": 128, "channel_max": 12, "num_layers": 6, **options}
    return fill(Generator(8, options.pop("c_dim", 0), 8, **KINDS[kind], **options)).requires_grad_(False)


@pytest.fixture
def uncompiled(monkeypatch):
    """What is made for a compiler, without one."""
    monkeypatch.setattr(compiled.torch, "compile", lambda function, **_: function)


def assert_same(G, fast, z, c=None, **options) -> None:
    slow_img, fast_img = G(z, c, **options), fast(z, c, **options)
    torch.testing.assert_close(fast_img, slow_img, rtol=1e-4, atol=1e-4)
    assert (to_uint8(slow_img).int() - to_uint8(fast_img).int()).abs().max() <= 1


@pytest.mark.parametrize("compile", [False, True])
@pytest.mark.parametrize("c_dim", [0, 3])
@pytest.mark.parametrize("kind", KINDS)
def test_fp32_pictures_differ_by_at_most_one_step(kind, c_dim, compile, uncompiled):
    G = network(kind, c_dim=c_dim)
    fast = G.for_inference(compile=compile)
    assert_same(G, fast, R(1, [3, 8]), torch.eye(3) if c_dim else None, truncation_psi=0.7, truncation_cutoff=3)


@pytest.mark.parametrize("compile", [False, True])
@pytest.mark.parametrize("precision", ["bf16", "fp16"])
@pytest.mark.parametrize("kind", KINDS)
def test_reduced_precision_stays_near(kind, precision, compile, uncompiled):
    G, z = network(kind), R(1, [3, 8])
    exact, reduced = G(z), G.for_inference(precision, compile)(z)
    assert reduced.dtype == torch.float32
    assert not torch.equal(exact, reduced)
    assert 10 * (4 / (exact - reduced).square().mean()).log10() >= 40


@pytest.mark.parametrize("kind", KINDS)
def test_the_user_may_still_move_pictures(kind):
    G, z = network(kind), R(1, [2, 8])
    fast = G.for_inference()
    c, s = math.cos(0.3), math.sin(0.3)
    still = fast(z)
    for g in (G, fast):
        g.synthesis.input.transform.copy_(torch.tensor([[c, -s, 0.1], [s, c, -0.2], [0, 0, 1]]))
    assert_same(G, fast, z)
    assert (fast(z) - still).abs().max() > 1e-2


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
    fast = G.for_inference("bf16")
    fast.synthesis.input.transform.zero_()
    assert not fast(R(1, [2, 8])).requires_grad
    assert all(torch.equal(v, before[k]) for k, v in G.state_dict().items())
    assert all(p.requires_grad for p in G.parameters())


def test_mistakes_get_one_sentence():
    G = network()
    with pytest.raises(ConfigError, match="precision must be one of auto, fp32, bf16, fp16, got 'int8'"):
        G.for_inference("int8")
    with pytest.raises(ShapeError, match=r"synthesis at 32x32 takes ws \[N, 8, 8\], got \[2, 4, 8\]"):
        G.for_inference().synthesis(torch.zeros(2, 4, 8))
    with pytest.raises(ConfigError, match="noise_mode must be one of random, const, none, got 'loud'"):
        G.for_inference().synthesis(torch.zeros(2, 8, 8), noise_mode="loud")
