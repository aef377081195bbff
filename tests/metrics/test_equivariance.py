"""EQ-T and EQ-R of images that move exactly, and of others."""

import math

import pytest
import torch
from tiny_generator import tiny_generator
from tiny_run import tiny_images
from waves import Waves

from stylegan.data import open_dataset, prepare
from stylegan.errors import ConfigError
from stylegan.metrics.equivariance import decibels, equivariance, parse_name
from stylegan.sampling.transform import inverse_transform


@pytest.mark.parametrize(("kind", "least"), [("eqt_int", 250), ("eqt_frac", 60), ("eqr", 70)])
def test_waves_that_move_as_told_score_as_high_as_the_resampling_is_true(kind, least):
    value = equivariance(Waves(size=64, cycles=3), kind, num=4).value
    assert value > least


@pytest.mark.parametrize("kind", ["eqt_int", "eqt_frac", "eqr"])
def test_texture_that_sticks_to_the_pixels_costs_its_energy(kind):
    value = equivariance(Waves(size=32, cycles=3, stuck=0.1), kind, num=12).value
    # the error is the difference of two gratings, with a mean square of up to 4 times 0.1**2 / 2
    assert value == pytest.approx(decibels(2 * 0.1**2 / 2), abs=3)


def test_four_images_share_a_transform_and_the_network_is_left_as_it_was():
    G = Waves()
    G.synthesis.input.transform.copy_(inverse_transform(0.3, 0.1, 20))
    score = equivariance(G, "eqt_int", num=10)
    assert (score.name, score.fakes, score.seed) == ("eqt10_int", 10, 0)
    assert torch.equal(G.synthesis.input.transform, inverse_transform(0.3, 0.1, 20))
    still, moved = G.calls.transforms[::2], G.calls.transforms[1::2]
    assert len(still) == len(moved) == 3
    assert all(torch.equal(T, torch.eye(3)) for T in still)
    shifts = torch.stack([T[:2, 2] for T in moved]) * 32
    assert torch.equal(shifts, shifts.round())
    assert len(shifts.unique(dim=0)) == 3
    assert float(shifts.abs().max()) <= 4


def test_the_same_seed_gives_the_same_score():
    scores = [equivariance(Waves(stuck=0.1), "eqr", num=4, seed=seed).value for seed in (0, 0, 1)]
    assert scores[0] == scores[1] != scores[2]


def test_decibels_are_those_of_a_range_of_two():
    assert decibels(4) == 0
    assert decibels(0.04) == pytest.approx(20)
    assert decibels(0) == math.inf


def test_names_count_in_thousands_where_they_can():
    assert parse_name("eqt50k_int") == (50_000, "eqt_int")
    assert parse_name("eqt64_frac") == (64, "eqt_frac")
    assert parse_name("eqr2k") == (2000, "eqr")


@pytest.mark.parametrize("name", ["eqt50k", "eqr50k_int", "eqt0k_int", "eq", "eqt_int", "fid10k_efflite0"])
def test_other_names_get_a_sentence(name):
    with pytest.raises(ConfigError) as error:
        parse_name(name)
    assert str(error.value) == f"a metric of equivariance is eqtNk_int, eqtNk_frac or eqrNk, got {name!r}."


def test_labels_come_from_the_data(tmp_path):
    prepare(tiny_images(tmp_path / "classes", classes=3), tmp_path / "classes.zip")
    G = Waves(c_dim=3)
    equivariance(G, "eqt_int", num=8, dataset=open_dataset(tmp_path / "classes.zip", use_labels=True))
    assert [list(c.shape) for c in G.calls.labels] == [[4, 3], [4, 3]]
    assert torch.equal(torch.cat(G.calls.labels).sum(1), torch.ones(8))


def test_what_cannot_be_measured_gets_a_sentence():
    with pytest.raises(ConfigError, match="only images of a StyleGAN3 can be shifted and rotated, and this is"):
        equivariance(tiny_generator(), "eqt_int", num=4)
    with pytest.raises(ConfigError, match="this network takes 3 label values; measure with the data that it was"):
        equivariance(Waves(c_dim=3), "eqt_int", num=4)
    with pytest.raises(ConfigError, match="the number of images to draw must be at least 1, got 0."):
        equivariance(Waves(), "eqr", num=0)
