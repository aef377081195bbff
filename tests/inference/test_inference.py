"""The form for inference of every generation draws the same images."""

import copy
import math
import warnings
from functools import partial

import pytest
import torch
from golden import R, fill

from stylegan.checkpoints import Checkpoint, save
from stylegan.errors import CheckpointError, ConfigError, ShapeError
from stylegan.images.pixels import to_uint8
from stylegan.inference import convolution, winograd
from stylegan.networks import minimal_gan, progan, r3gan, stylegan1, stylegan2, stylegan3
from stylegan.sampling.generate import generate_images

SMALL = {"img_resolution": 32, "channel_base": 256, "channel_max": 16, "num_fp16_res": 2}
STYLEGAN2 = partial(stylegan2.Generator, 8, w_dim=8, mapping_layers=2, conv_clamp=256, **SMALL)
STYLEGAN3 = partial(stylegan3.Generator, 8, w_dim=8, img_resolution=32, channel_base=128, channel_max=12, num_layers=6)
GENERATIONS = {
    "progan": partial(progan.Generator, 8, **SMALL),
    "stylegan1": partial(stylegan1.Generator, 8, **SMALL),
    "stylegan2-skip": STYLEGAN2,
    "stylegan2-orig": partial(STYLEGAN2, architecture="orig"),
    "stylegan2-resnet": partial(STYLEGAN2, architecture="resnet"),
    "stylegan3-t": STYLEGAN3,
    "stylegan3-r": partial(STYLEGAN3, conv_kernel=1, use_radial_filters=True),
    "minimal": partial(minimal_gan.Generator, 8, w_dim=8, img_resolution=32, n_features=4, max_features=16),
    "r3gan": partial(r3gan.Generator, 8, **SMALL),
}
EVERY_ONE = pytest.mark.parametrize("name", GENERATIONS)
EVERY_FORM = pytest.mark.parametrize("compile", [False, True])
GROWING = pytest.mark.parametrize("name", ["progan", "stylegan1"])


def network(name: str, c_dim: int = 0, **options):
    G = fill(GENERATIONS[name](c_dim=c_dim, **options)).requires_grad_(False)
    if hasattr(G, "lod"):
        in_range(G)
        G.lod.zero_()
    return G


def in_range(G):
    """Images as of a trained network."""
    for name, p in G.named_parameters():
        if name.endswith(("torgb", "torgb.weight")):
            p.mul_(0.25)


@pytest.fixture
def uncompiled(monkeypatch) -> list:
    """Forms made for a compiler, but without one; returns the functions that it was given."""
    given: list = []
    monkeypatch.setattr(torch, "compile", lambda function, **_: given.append(function) or function)
    monkeypatch.setattr(winograd, "_compiled_maps", lambda: (winograd._factors, winograd._pixels))
    return given


def assert_same(fast, slow) -> None:
    torch.testing.assert_close(fast, slow, rtol=1e-4, atol=1e-4)
    assert (to_uint8(slow).int() - to_uint8(fast).int()).abs().max() <= 1


@EVERY_FORM
@pytest.mark.parametrize("noise_mode", ["const", "none"])
@pytest.mark.parametrize(
    ("name", "c_dim"), [(name, c_dim) for name in GENERATIONS for c_dim in (0, 3) if (name, c_dim) != ("minimal", 3)]
)
def test_fp32_images_differ_by_at_most_one_step(name, c_dim, noise_mode, compile, uncompiled):
    G = network(name, c_dim)
    z, c = R(1, [3, 8]), torch.eye(3) if c_dim else None
    options = {"truncation_psi": 0.7, "truncation_cutoff": 3, "noise_mode": noise_mode}
    assert_same(G.for_inference(compile=compile)(z, c, **options), G(z, c, **options))
    assert len(uncompiled) == compile  # one graph, and nothing between two


@EVERY_FORM
@pytest.mark.parametrize("name", ["progan", "stylegan1", "stylegan2-skip"])
def test_images_with_fewer_products_differ_by_at_most_one_step(name, compile, uncompiled, monkeypatch):
    monkeypatch.setattr(convolution, "_winograd_is_faster", lambda *_: True)
    G, z = network(name), R(1, [3, 8])
    fast = G.for_inference(compile=compile)
    form = convolution._CompiledWinograd if compile else convolution._Winograd
    assert any(isinstance(module, form) for module in fast.modules())
    assert_same(fast(z, noise_mode="const"), G(z, noise_mode="const"))


@EVERY_FORM
@pytest.mark.parametrize("precision", ["bf16", "fp16"])
@pytest.mark.parametrize("name", sorted(set(GENERATIONS) - {"minimal"}))
def test_reduced_precision_stays_near(name, precision, compile, uncompiled):
    G, z = network(name), R(1, [3, 8])
    if name.startswith(("stylegan2", "r3gan")):
        in_range(G)
    exact, reduced = G(z, noise_mode="const"), G.for_inference(precision, compile)(z, noise_mode="const")
    assert reduced.dtype == torch.float32
    assert not torch.equal(exact, reduced)
    assert 10 * (4 / (exact - reduced).square().mean()).log10() >= 40


@pytest.mark.parametrize("name", ["stylegan1", "stylegan2-skip", "minimal"])
def test_random_noise_is_new_every_time_and_as_strong(name):
    G = network(name)
    fast, ws = G.for_inference(), G.mapping(R(1, [64, 8]))
    a, b = fast.synthesis(ws), fast.synthesis(ws)
    assert not torch.equal(a, b)
    slow = G.synthesis(ws) - G.synthesis(ws)
    assert (a - b).std() == pytest.approx(float(slow.std()), rel=0.05)


@EVERY_ONE
def test_attributes_and_sampling_are_those_of_the_network(name):
    G = network(name)
    G.class_names = ["cat"]
    fast = G.for_inference()
    for attribute in ("z_dim", "c_dim", "w_dim", "num_ws", "img_resolution", "img_channels", "class_names"):
        assert getattr(fast, attribute) == getattr(G, attribute)
    for slow_img, fast_img in zip(generate_images(G, [3, 4]), generate_images(fast, [3, 4]), strict=True):
        assert (slow_img.int() - fast_img.int()).abs().max() <= 1


@EVERY_ONE
def test_the_network_is_left_as_it_was(name):
    G = network(name).requires_grad_(True)
    before = {k: v.clone() for k, v in G.state_dict().items()}
    assert not G.for_inference("fp32" if name == "minimal" else "bf16")(R(1, [2, 8])).requires_grad
    assert all(torch.equal(v, before[k]) for k, v in G.state_dict().items())
    assert all(p.requires_grad for p in G.parameters())


@EVERY_ONE
def test_a_compiler_that_fails_is_warned_of_once_and_images_are_drawn_without_it(name, monkeypatch):
    def broken(function, **options):
        def call(*args, **options):
            raise RuntimeError("no C++ compiler\nand a long story")

        return call

    monkeypatch.setattr(torch, "compile", broken)
    G, z = network(name), R(1, [2, 8])
    fast = G.for_inference(compile=True)
    with pytest.warns(RuntimeWarning, match=r"torch.compile failed \(no C\+\+ compiler\); continuing without it\."):
        img = fast(z, noise_mode="const")
    assert_same(img, G(z, noise_mode="const"))
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        fast(z, noise_mode="const")


@EVERY_ONE
def test_mistakes_get_one_sentence(name):
    G = network(name)
    text = "compute in fp32" if name == "minimal" else "precision must be one of auto, fp32, bf16, fp16"
    with pytest.raises(ConfigError, match=f"{text}, got '?int8'?"):
        G.for_inference("int8")
    with pytest.raises(ShapeError, match=rf"at 32x32 takes ws \[N, {G.num_ws}, {G.w_dim}\], got \[2, 4, 9\]"):
        G.for_inference().synthesis(torch.zeros(2, 4, 9))
    with pytest.raises(ConfigError, match="noise_mode must be one of random, const, none, got 'loud'"):
        G.for_inference()(R(1, [2, 8]), noise_mode="loud")


@pytest.mark.parametrize("name", ["stylegan1", "stylegan2-skip"])
def test_an_activation_that_is_not_prepared_is_named(name):
    with pytest.raises(ConfigError, match="knows the activation lrelu, got 'relu'"):
        network(name, activation="relu").for_inference()


@GROWING
@pytest.mark.parametrize("lod", [0.4, 1.0, 3.0])
@pytest.mark.parametrize("c_dim", [0, 3])
def test_the_form_keeps_the_lod_that_it_was_made_at(name, c_dim, lod):
    G = network(name, c_dim)
    G.lod.fill_(lod)
    fast = G.for_inference()
    G.lod.fill_(0.0)
    z, c = R(1, [3, 8]), torch.eye(3) if c_dim else None
    img = fast(z, c, noise_mode="const")
    G.lod.fill_(lod)
    assert_same(img, G(z, c, noise_mode="const"))


@pytest.mark.parametrize("noise_mode", ["const", "none"])
@pytest.mark.parametrize(
    "options",
    [
        {"const_input": False, "use_styles": False, "use_noise": False, "use_pixel_norm": True},
        {"use_instance_norm": False},
        {"blur_filter": None, "conv_clamp": 1.0},
    ],
    ids=["traditional", "styles only", "no blur, clamped"],
)
def test_every_option_of_stylegan1_is_the_same(options, noise_mode):
    G, ws = network("stylegan1", **options), R(4, [3, 8, 512]) * 0.05
    assert_same(G.for_inference().synthesis(ws, noise_mode=noise_mode), G.synthesis(ws, noise_mode=noise_mode))


@pytest.mark.parametrize("name", ["stylegan3-t", "stylegan3-r"])
def test_the_user_may_still_move_images(name):
    G, z = network(name), R(1, [2, 8])
    fast = G.for_inference()
    c, s = math.cos(0.3), math.sin(0.3)
    motion = torch.tensor([[c, -s, 0.1], [s, c, -0.2], [0, 0, 1]])
    still = G(z)
    fast.synthesis.input.transform.copy_(motion)
    assert torch.equal(G(z), still)
    G.synthesis.input.transform.copy_(motion)
    assert_same(fast(z), G(z))
    assert (fast(z) - still).abs().max() > 1e-2


@EVERY_ONE
def test_the_form_is_used_like_a_network(name):
    G = network(name)
    fast, ws = G.for_inference(), G.mapping(R(1, [2, 8]))
    assert not isinstance(fast, type(G))
    assert not fast.training
    assert fast.synthesis.img_channels == 3
    assert fast.synthesis.img_resolution == 32
    img = fast.synthesis(ws, noise_mode="const")
    for dtype in (torch.float64, torch.bfloat16):
        assert_same(fast.synthesis(ws.to(dtype), noise_mode="const"), G.synthesis(ws.to(dtype), noise_mode="const"))
    for same in (fast.train(), fast.eval(), fast.to("cpu"), fast.to(torch.device("cpu")), copy.deepcopy(fast)):
        assert isinstance(same, type(fast))
        assert torch.equal(same.synthesis(ws, noise_mode="const"), img)
    assert not any(p.requires_grad for p in fast.parameters())
    z = R(1, [2, 8]).requires_grad_()
    assert not fast(z).requires_grad


@EVERY_ONE
def test_the_form_keeps_the_precision_that_it_was_made_for(name):
    G = network(name)
    fast = G.for_inference()
    assert fast.precision == fast.synthesis.precision == "fp32"
    assert fast.for_inference() is fast
    assert G.for_inference("auto").precision == "auto"
    fast.precision = "fp32"
    text = r"was prepared for precision fp32 and compile False, got 'auto' and False; call for_inference of the network"
    with pytest.raises(ConfigError, match=text):
        fast.for_inference("auto")
    with pytest.raises(ConfigError, match=text):
        fast.precision = "auto"
    with pytest.raises(ConfigError, match="got 'fp32' and True"):
        fast.for_inference(compile=True)


@EVERY_ONE
def test_a_copy_draws_with_its_own_weights(name, uncompiled):
    fast, z = network(name).for_inference(compile=True), R(1, [2, 8])
    img, other = fast(z, noise_mode="none"), copy.deepcopy(fast)
    for tensor in (*other.synthesis.buffers(), *other.synthesis.parameters()):
        tensor.zero_()
    assert torch.equal(fast(z, noise_mode="none"), img)
    assert not torch.equal(other(z, noise_mode="none"), img)


@EVERY_ONE
def test_the_form_cannot_be_saved(name, tmp_path):
    with pytest.raises(CheckpointError, match="made by for_inference cannot be saved; save the network that it was"):
        save(Checkpoint(G_ema=network(name).for_inference()), tmp_path / "net")


@EVERY_FORM
@pytest.mark.parametrize("name", ["stylegan3-t", "stylegan3-r"])
def test_layers_without_filters_are_prepared_too(name, compile, uncompiled):
    G, z = network(name, lrelu_upsampling=1), R(1, [2, 8])
    assert any(layer.up_filter is None for layer in G.synthesis.layers[:-1])
    assert_same(G.for_inference(compile=compile)(z), G(z))
