"""The form for inference of ProGAN and StyleGAN1 draws the same pictures."""

import pytest
import torch
from golden import R, fill

from stylegan.errors import ConfigError, ShapeError
from stylegan.networks import compiled, progan, stylegan1
from stylegan.sampling.pictures import to_uint8

SMALL = {"img_resolution": 32, "channel_base": 256, "channel_max": 16, "num_fp16_res": 2}
GENERATIONS = pytest.mark.parametrize("family", [progan, stylegan1], ids=["progan", "stylegan1"])
OPTIONS = {
    "as published": {},
    "traditional": {"const_input": False, "use_styles": False, "use_noise": False, "use_pixel_norm": True},
    "styles only": {"use_instance_norm": False},
    "no blur, clamped": {"blur_filter": None, "conv_clamp": 1.0},
}


def network(family, c_dim: int = 0, lod: float = 0.0, **options):
    G = fill(family.Generator(8, c_dim, **SMALL, **options)).requires_grad_(False)
    for name, p in G.named_parameters():  # an image range as of a trained network
        if name.endswith("torgb.weight"):
            p.mul_(0.25)
    G.lod.fill_(lod)
    return G


def assert_same_pictures(fast, slow) -> None:
    torch.testing.assert_close(fast, slow, rtol=1e-4, atol=2e-4)
    assert (to_uint8(slow).int() - to_uint8(fast).int()).abs().max() <= 1


@GENERATIONS
@pytest.mark.parametrize("lod", [0.0, 0.4, 1.0, 3.0])
@pytest.mark.parametrize("c_dim", [0, 3])
def test_fp32_pictures_differ_by_at_most_one_step_at_every_lod(family, c_dim, lod):
    G = network(family, c_dim, lod)
    fast = G.for_inference()
    G.lod.fill_(0.0)  # the form keeps its own
    z, c = R(1, [3, 8]), torch.eye(3) if c_dim else None
    options = {"truncation_psi": 0.7, "truncation_cutoff": 3, "noise_mode": "const"}
    fast_img = fast(z, c, **options)
    G.lod.fill_(lod)
    assert_same_pictures(fast_img, G(z, c, **options))


@pytest.mark.parametrize("noise_mode", ["const", "none"])
@pytest.mark.parametrize("name", OPTIONS)
def test_every_option_of_stylegan1_is_the_same(name, noise_mode):
    G = network(stylegan1, **OPTIONS[name])
    ws = R(4, [3, 8, 512]) * 0.05
    assert_same_pictures(G.for_inference().synthesis(ws, noise_mode=noise_mode), G.synthesis(ws, noise_mode=noise_mode))


@GENERATIONS
@pytest.mark.parametrize("precision", ["bf16", "fp16"])
def test_reduced_precision_stays_near(family, precision):
    G, z = network(family), R(1, [3, 8])
    exact, reduced = G(z, noise_mode="const"), G.for_inference(precision)(z, noise_mode="const")
    assert reduced.dtype == torch.float32
    error = exact.clamp(-1, 1) - reduced.clamp(-1, 1)
    assert 10 * torch.log10(4 / error.square().mean()) >= 40


def test_random_noise_is_new_every_time_and_as_strong():
    G = network(stylegan1)
    fast, ws = G.for_inference(), G.mapping(R(1, [64, 8]))
    a, b = fast.synthesis(ws), fast.synthesis(ws)
    assert not torch.equal(a, b)
    slow = G.synthesis(ws) - G.synthesis(ws)
    assert (a - b).std() == pytest.approx(float(slow.std()), rel=0.05)


@GENERATIONS
def test_attributes_are_those_of_the_network_which_is_left_as_it_was(family):
    G = network(family).requires_grad_(True)
    before = {k: v.clone() for k, v in G.state_dict().items()}
    fast = G.for_inference("bf16")
    for name in ("z_dim", "c_dim", "w_dim", "num_ws", "img_resolution", "img_channels"):
        assert getattr(fast, name) == getattr(G, name)
    assert not fast(R(1, [2, 8])).requires_grad
    assert all(torch.equal(v, before[k]) for k, v in G.state_dict().items())
    assert all(p.requires_grad for p in G.parameters())


@GENERATIONS
def test_the_whole_of_drawing_is_given_to_the_compiler(family, monkeypatch):
    given = []
    monkeypatch.setattr(compiled.torch, "compile", lambda function, **options: given.append(function) or function)
    G, z = network(family), R(1, [2, 8])
    assert_same_pictures(G.for_inference(compile=True)(z, noise_mode="const"), G(z, noise_mode="const"))
    assert len(given) == 1


@GENERATIONS
def test_mistakes_get_one_sentence(family):
    G = network(family)
    with pytest.raises(ConfigError, match="precision must be one of auto, fp32, bf16, fp16, got 'int8'"):
        G.for_inference("int8")
    with pytest.raises(ShapeError, match=rf"takes ws \[N, {G.num_ws}, {G.w_dim}\], got \[2, 4, 9\]"):
        G.for_inference().synthesis(torch.zeros(2, 4, 9))
    with pytest.raises(ConfigError, match="noise_mode must be one of random, const, none, got 'loud'"):
        G.for_inference()(R(1, [2, 8]), noise_mode="loud")
    with pytest.raises(ConfigError, match="knows the activation lrelu, got 'relu'"):
        network(stylegan1, activation="relu").for_inference()
