"""Noise and cutout."""

import pytest
import torch
from torch.testing import assert_close

from stylegan.augment import AugmentPipe
from stylegan.augment.corruption import add_noise, cut_out


@pytest.mark.parametrize("size", [(16, 16), (8, 32)])
def test_half_of_each_side_is_a_quarter_of_the_image(size):
    y = cut_out(torch.ones(1, 3, *size), torch.tensor([[0.5, 0.5]]), torch.tensor([0.5]))
    assert (y == 0).float().mean() == 0.25


def test_the_center_is_given_as_x_and_y():
    y = cut_out(torch.ones(1, 1, 8, 8), torch.tensor([[0.0, 1.0]]), torch.tensor([0.5]))
    assert y[0, 0].eq(0).nonzero().tolist() == [[6, 0], [6, 1], [7, 0], [7, 1]]


def test_size_0_cuts_nothing():
    images = torch.randn(2, 3, 8, 8)
    assert torch.equal(cut_out(images, torch.rand(2, 2), torch.zeros(2)), images)


def test_random_centers_cut_nine_sixty_fourths_on_average():
    # along an axis, a center c in [0, 1] and a half side of 1/4 cover 1/2 - 2 (1/4)^2 / 2 = 7/16
    y = AugmentPipe(cutout=1)(torch.ones(4000, 1, 16, 16))
    assert abs((y == 0).float().mean().item() - (7 / 16) ** 2) < 0.005


def test_noise_has_its_standard_deviation_in_every_channel():
    y = add_noise(torch.zeros(2, 3, 64, 64), torch.tensor([0.1, 0.0]))
    assert_close(y[0].std([1, 2]), torch.full([3], 0.1), rtol=0.05, atol=0)
    assert (y[1] == 0).all()
    assert not torch.allclose(y[0, 0], y[0, 1], atol=1e-3)
