"""EQ-T and EQ-R of images that move exactly, and of others."""

import json
import math
from pathlib import Path

import pytest
import torch
from launch import Launch
from tiny_generator import tiny_generator
from tiny_run import tiny_images
from waves import Waves

from stylegan.data import open_dataset, prepare
from stylegan.errors import ConfigError
from stylegan.machine.processes import join
from stylegan.metrics.equivariance import KINDS, _draws, decibels, equivariance
from stylegan.sampling.transform import inverse_transform


@pytest.mark.parametrize(("kind", "least"), [("eqt_int", 250), ("eqt_frac", 60), ("eqr", 70)])
def test_waves_that_move_with_the_input_score_up_to_the_accuracy_of_resampling(kind, least):
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


@pytest.mark.parametrize(("kind", "limit"), [("eqt_int", 0.125), ("eqt_frac", 0.125), ("eqr", 180)])
def test_moves_go_to_both_sides_up_to_their_limit(kind, limit):
    moves = torch.tensor([numbers for _, _, numbers in _draws(Waves(), KINDS[kind], 160, 0, None, range(40))])
    assert float(moves.abs().max()) <= limit
    assert (moves.amin(0) < -0.7 * limit).all()
    assert (moves.amax(0) > 0.7 * limit).all()


def test_the_same_seed_gives_the_same_score():
    scores = [equivariance(Waves(stuck=0.1), "eqr", num=4, seed=seed).value for seed in (0, 0, 1)]
    assert scores[0] == scores[1] != scores[2]


def test_decibels_are_those_of_a_range_of_two():
    assert decibels(4) == 0
    assert decibels(0.04) == pytest.approx(20)
    assert decibels(0) == math.inf


def measure(rank: int, folder: Path) -> None:
    with join() as world:
        G = Waves(stuck=0.1)
        value = equivariance(G, "eqr", num=22, world=world).value
    (folder / f"{rank}.json").write_text(json.dumps({"value": value, "drawn": len(G.calls.transforms) // 2}))


def test_two_processes_get_the_score_of_one_and_share_its_work(tmp_path):
    launch = Launch(2, tmp_path, measure, tmp_path)
    expected = equivariance(Waves(stuck=0.1), "eqr", num=22).value
    assert launch.wait() == [0, 0], launch.output(0) + launch.output(1)
    ranks = [json.loads((tmp_path / f"{rank}.json").read_text()) for rank in range(2)]
    assert [rank["value"] for rank in ranks] == pytest.approx([expected, expected], rel=1e-9)
    assert [rank["drawn"] for rank in ranks] == [3, 3]  # of 6 batches


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
    with pytest.raises(ConfigError, match="in images of 8 pixels nothing does; measure a network of at least 16"):
        equivariance(Waves(size=8), "eqr", num=4)
