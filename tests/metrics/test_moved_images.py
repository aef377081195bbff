"""Shifts and rotations of images whose every place is known."""

import pytest
import torch
from torch.testing import assert_close
from waves import Waves

from stylegan.metrics.moved_images import filter_as_rotated, rotate, shift, shift_between_pixels
from stylegan.sampling.transform import inverse_transform


def images(G, **motion):
    G.synthesis.input.transform.copy_(inverse_transform(**motion))
    return G.draw(torch.linspace(0, 1, 48).reshape(2, 1, 24), noise_mode="const").float()


@pytest.mark.parametrize(("x", "y"), [(0, 0), (3, -2), (-4, 4), (0, 1)])
def test_a_shift_by_whole_pixels_is_exact_where_the_mask_is(x, y):
    G = Waves()
    moved, mask = shift(images(G), x, y)
    assert mask.shape == (1, 1, 32, 32)
    assert int(mask.sum()) == (32 - abs(x)) * (32 - abs(y))
    assert_close(moved * mask, images(G, x=x / 32, y=y / 32) * mask)
    assert int(moved[:, :, mask[0, 0] == 0].count_nonzero()) == 0


@pytest.mark.parametrize(("x", "y"), [(2.5, -1.3), (-3.9, 0.0), (0.2, 3.7)])
def test_a_shift_between_pixels_comes_close_to_the_waves_themselves(x, y):
    G = Waves(size=64, cycles=3)
    moved, mask = shift_between_pixels(images(G), x, y)
    error = (moved - images(G, x=x / 64, y=y / 64)) * mask
    assert float(error.abs().max()) < 0.006


@pytest.mark.parametrize(("x", "columns"), [(2.5, slice(5, 32)), (-2.5, slice(0, 27)), (0.5, slice(3, 30))])
def test_the_mask_of_a_shift_between_pixels_holds_the_whole_filter(x, columns):
    image = torch.randn(1, 1, 32, 32)
    moved, mask = shift_between_pixels(image, x, 0.0)
    expected = torch.zeros(32)
    expected[columns] = 1
    assert_close(mask[0, 0, 10], expected)
    outside = torch.nn.functional.pad(image, [6, 6, 6, 6], value=7.0)  # other images beyond the borders
    assert_close(moved * mask, shift_between_pixels(outside, x, 0.0)[0][:, :, 6:-6, 6:-6] * mask)


def test_a_shift_by_no_fraction_is_a_shift_by_whole_pixels():
    image = torch.randn(2, 3, 16, 16)
    assert_close(shift_between_pixels(image, 2.0, -1.0)[0], shift(image, 2, -1)[0], atol=1e-6, rtol=0)


@pytest.mark.parametrize("degrees", [0, 30, 90, -135, 171])
def test_a_turned_image_comes_close_to_the_turned_waves(degrees):
    G = Waves(size=64, cycles=6)
    A = inverse_transform(degrees=-degrees)[:2, :2]
    turned, mask = rotate(images(G), A)
    error = (turned - images(G, degrees=degrees)) * mask
    assert float(error.abs().max()) < 0.006
    assert mask.shape == (1, 1, 64, 64)
    assert 0.6 < float(mask.mean()) < 0.7


def test_the_mask_of_a_rotation_holds_the_whole_filter():
    A = inverse_transform(degrees=-25)[:2, :2]
    image = torch.randn(1, 1, 48, 48)
    turned, mask = rotate(image, A)
    inner = rotate(torch.nn.functional.pad(image, [8] * 4, value=50.0), A)[0][:, :, 8:-8, 8:-8]
    assert_close(turned * mask, inner * mask, atol=1e-4, rtol=0)


def test_as_if_turned_keeps_slow_waves_where_they_are():
    G = Waves(size=32, cycles=3)
    filtered, mask = filter_as_rotated(images(G), inverse_transform(degrees=40)[:2, :2])
    assert float(((filtered - images(G)) * mask).abs().max()) < 0.006
    expected = torch.zeros(32)
    expected[5:-5] = 1
    assert_close(mask[0, 0, 16], expected)
