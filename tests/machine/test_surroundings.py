"""Settings of torch around a call change nothing: drawing, discriminating and training give the same bits."""

import contextlib

import pytest
import torch
from golden import R
from tiny_generations import EVERY_GENERATION, discriminator, generator
from tiny_run import tiny_config, tiny_images

from stylegan.augment import AugmentPipe, diff_augment
from stylegan.networks.stylegan2 import Generator
from stylegan.sampling.generate import generate
from stylegan.training.phases import MicroBatch, train_step
from stylegan.training.state import create_state


@contextlib.contextmanager
def default_dtype(dtype):
    torch.set_default_dtype(dtype)
    try:
        yield
    finally:
        torch.set_default_dtype(torch.float32)


@contextlib.contextmanager
def deterministic():
    torch.use_deterministic_algorithms(True)
    try:
        yield
    finally:
        torch.use_deterministic_algorithms(False)


SURROUNDINGS = {
    "autocast": lambda: torch.autocast("cpu", dtype=torch.bfloat16),
    "float64": lambda: default_dtype(torch.float64),
    "float16": lambda: default_dtype(torch.float16),
    "inference mode": torch.inference_mode,
    "no gradients": torch.no_grad,
    "deterministic": deterministic,
    "device meta": lambda: torch.device("meta"),
}
UNDER = pytest.mark.parametrize("surroundings", SURROUNDINGS.values(), ids=SURROUNDINGS)


@EVERY_GENERATION
def test_networks_compute_the_same(name):
    G, D, z = generator(name), discriminator(name), R(1, [4, 8])
    form = G.for_inference()

    def results():
        torch.manual_seed(0)
        img = G(z, truncation_psi=0.7)
        return [img, D(img), form(z), generate(G, range(2)), generate(form, range(2))]

    expected = results()
    for surroundings in SURROUNDINGS.values():
        with surroundings():
            found = results()
        for a, b in zip(found, expected, strict=True):
            assert torch.equal(a, b)
            assert a.dtype == b.dtype
        assert not found[3].is_inference()


@pytest.fixture(scope="module")
def config(tmp_path_factory):
    return tiny_config(tiny_images(tmp_path_factory.mktemp("images")), **{"augment.mode": "fixed", "augment.p": 0.5})


BATCH = MicroBatch(R(2, [8, 3, 16, 16]).clamp(-1, 1), torch.zeros(8, 0), torch.zeros(8, 0))


def weights_after_a_step(config):
    state = create_state(config, torch.device("cpu"))
    train_step(state, config, [BATCH])
    return [p.detach() for network in (state.G, state.D, state.G_ema) for p in network.parameters()]


@pytest.fixture(scope="module")
def expected(config):
    return weights_after_a_step(config)


@UNDER
def test_a_training_step_is_the_same(surroundings, config, expected):
    with surroundings():
        found = weights_after_a_step(config)
    for a, b in zip(found, expected, strict=True):
        assert torch.equal(a, b)
        assert not a.is_inference()


@pytest.mark.parametrize("surroundings", ["float64", "inference mode", "autocast"])
def test_augmentation_and_initial_weights_are_the_same(surroundings):
    def results():
        torch.manual_seed(0)
        pipe = AugmentPipe(xflip=1, rotate=1, scale=1, hue=1, saturation=1, lumaflip=1, imgfilter=1, noise=1, cutout=1)
        G = Generator(8, w_dim=8, img_resolution=16, channel_base=64, channel_max=8)
        img = R(2, [4, 3, 32, 32])
        return [pipe(img), diff_augment(img), *G.state_dict().values()]

    expected = results()
    with SURROUNDINGS[surroundings]():
        found = results()
    for a, b in zip(found, expected, strict=True):
        assert torch.equal(a, b)
        assert a.dtype == b.dtype
