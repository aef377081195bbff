"""Perceptual path length, with a network and a distance whose answer is known."""

import numpy as np
import pytest
import torch
from tiny_generator import tiny_generator

from stylegan.errors import ConfigError
from stylegan.machine.processes import World
from stylegan.metrics import path_length
from stylegan.metrics.batches import share
from stylegan.metrics.path_length import measure, prepared, slerp, trimmed_mean
from stylegan.metrics.subject import Subject


class SquaredError:
    """The mean squared difference of pixels."""

    name, resize, sha256 = "mse", "none", None

    def __call__(self, a, b):
        return (a - b).square().mean((1, 2, 3))


class Plane:
    """A network whose image is w, one pixel for each number, and whose mapping is the identity."""

    z_dim, w_dim, c_dim, img_resolution, img_channels, num_ws = 16, 16, 0, 4, 1, 1

    def __init__(self, noise=0.0):
        self.noise = noise

    def mapping(self, z, c):
        return z[:, None]

    def synthesis(self, ws, noise_mode):
        assert noise_mode == "random"
        images = ws[:, 0].reshape(-1, 1, 4, 4)
        return images + self.noise * torch.randn_like(images)

    def parameters(self):
        return iter([torch.zeros(1)])


def length(G, *, num=600, seed=0, **which):
    options = {"space": "w", "full": False, "crop": False, **which}
    return measure(Subject(G=G, num=num, seed=seed, network=SquaredError()), **options)


@pytest.mark.parametrize("full", [False, True])
def test_length_of_straight_paths_is_the_squared_distance_of_their_ends(full):
    """Numbers of two Gaussian z differ by a Gaussian of variance 2."""
    score = length(Plane(), full=full)
    assert score.value == pytest.approx(2, rel=0.05)
    assert (score.name, score.detector) == (f"ppl600_w{'full' if full else 'end'}_mse", "mse")


@pytest.mark.parametrize("full", [False, True])
def test_length_of_arcs_is_the_squared_angle(full):
    """Images of unit z: a step is the angle, whose square is π²/4 in many dimensions, averaged over 16 pixels."""
    assert length(Plane(), space="z", full=full).value == pytest.approx((np.pi**2 / 4) / 16, rel=0.06)


def test_noise_is_the_same_at_both_ends():
    assert length(Plane(noise=1.0), num=100).value == pytest.approx(length(Plane(), num=100).value, rel=0.02)


def test_slerp_begins_and_ends_at_unit_ends_and_moves_evenly():
    a, b = torch.tensor([[2.0, 0.0]]), torch.tensor([[0.0, 3.0]])
    ends = [slerp(a, b, torch.tensor([[t]])) for t in (0.0, 1 / 3, 1.0)]
    expected = [[[1.0, 0.0]], [[3**0.5 / 2, 0.5]], [[0.0, 1.0]]]
    torch.testing.assert_close(torch.stack(ends), torch.tensor(expected))


def test_crop_is_the_middle_and_large_images_are_averaged():
    rows = torch.arange(16.0).view(1, 1, 16, 1).expand(-1, -1, -1, 16)
    assert prepared(rows, crop=False) is rows
    cropped = prepared(rows, crop=True)
    assert cropped.shape == (1, 1, 8, 8)
    assert cropped[0, 0, :, 0].tolist() == list(range(6, 14))
    assert prepared(torch.zeros(1, 1, 1024, 1024), crop=False).shape[-1] == 256
    assert prepared(torch.zeros(1, 1, 1024, 1024), crop=True).shape[-1] == 128


def test_the_largest_and_smallest_hundredth_are_left_out():
    squares = np.arange(201.0) ** 2
    assert trimmed_mean(squares[::-1]) == pytest.approx(squares[2:199].mean())
    assert trimmed_mean(np.array([3.0])) == 3


def test_a_network_is_measured_twice_alike_and_global_random_numbers_stay():
    G, state = tiny_generator(), torch.get_rng_state()
    first, second = (length(G, num=12).value for _ in range(2))
    assert first == second > 0
    assert torch.equal(torch.get_rng_state(), state)
    assert length(G, num=12, seed=1).value != first


def test_processes_share_the_steps_of_one():
    subject = Subject(G=tiny_generator(), num=21, network=SquaredError())
    which = {"space": "z", "full": True, "crop": False}
    whole, *parts = (
        torch.cat(list(path_length._distances(subject, 8, share(3, world), **which)))
        for world in (World(), World(0, 2), World(1, 2))
    )
    assert len(whole) == 21
    assert torch.equal(torch.cat(parts), whole)


def test_labels_need_the_data():
    with pytest.raises(ConfigError, match="takes 3 label values; measure with the data that it was trained on"):
        length(tiny_generator(c_dim=3), num=4)
