"""Affine maps of colour."""

import math

import pytest
import torch
from torch.testing import assert_close

from stylegan.augment import colour


def recolour(C, *rgb):
    return colour.recolour(torch.tensor(rgb)[None, :, None, None], C)[0, :, 0, 0]


def test_brightness_adds_and_contrast_multiplies():
    assert_close(recolour(colour.brightness(torch.tensor([0.2])), 0.1, -0.3, 0.5), torch.tensor([0.3, -0.1, 0.7]))
    assert_close(recolour(colour.contrast(torch.tensor([2.0])), 0.1, -0.3, 0.5), torch.tensor([0.2, -0.6, 1.0]))


def test_luma_flip_negates_grey_and_keeps_chroma():
    C = colour.luma_flip(torch.tensor([1.0]))
    assert_close(recolour(C, 0.4, 0.4, 0.4), torch.tensor([-0.4, -0.4, -0.4]))
    assert_close(recolour(C, 0.3, -0.3, 0.0), torch.tensor([0.3, -0.3, 0.0]))


def test_a_third_of_a_turn_of_hue_moves_red_to_green():
    C = colour.hue(torch.tensor([2 * math.pi / 3]))
    assert_close(recolour(C, 1.0, 0.0, 0.0), torch.tensor([0.0, 1.0, 0.0]), rtol=0, atol=1e-6)


def test_saturation_0_leaves_the_mean_of_the_channels():
    assert_close(recolour(colour.saturation(torch.tensor([0.0])), 0.9, 0.3, 0.0), torch.tensor([0.4, 0.4, 0.4]))


@pytest.mark.parametrize("change", [colour.hue, colour.saturation])
def test_grey_stays_grey(change):
    assert_close(recolour(change(torch.tensor([1.7])), 0.3, 0.3, 0.3), torch.tensor([0.3, 0.3, 0.3]))


def test_a_grey_image_changes_like_the_mean_of_the_same_image_in_rgb():
    grey = torch.randn(2, 1, 4, 4)
    C = colour.luma_flip(torch.tensor([1.0, 0])) @ colour.brightness(torch.tensor([0.3, -0.1]))
    in_rgb = colour.recolour(grey.expand(2, 3, 4, 4), C).mean(1, keepdim=True)
    assert_close(colour.recolour(grey, C), in_rgb)


def test_alpha_is_left_alone():
    images, C = torch.randn(2, 4, 4, 4), colour.contrast(torch.tensor([2.0, 3.0]))
    y = colour.recolour(images, C)
    assert torch.equal(y[:, 3:], images[:, 3:])
    assert_close(y[:, :3], colour.recolour(images[:, :3], C))
