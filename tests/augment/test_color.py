"""Affine maps of color."""

import math

import pytest
import torch
from torch.testing import assert_close

from stylegan.augment import color


def recolor(C, *rgb):
    return color.recolor(torch.tensor(rgb)[None, :, None, None], C)[0, :, 0, 0]


def test_brightness_adds_and_contrast_multiplies():
    assert_close(recolor(color.brightness(torch.tensor([0.2])), 0.1, -0.3, 0.5), torch.tensor([0.3, -0.1, 0.7]))
    assert_close(recolor(color.contrast(torch.tensor([2.0])), 0.1, -0.3, 0.5), torch.tensor([0.2, -0.6, 1.0]))


def test_luma_flip_negates_gray_and_keeps_chroma():
    C = color.luma_flip(torch.tensor([1.0]))
    assert_close(recolor(C, 0.4, 0.4, 0.4), torch.tensor([-0.4, -0.4, -0.4]))
    assert_close(recolor(C, 0.3, -0.3, 0.0), torch.tensor([0.3, -0.3, 0.0]))


def test_a_third_of_a_turn_of_hue_moves_red_to_green():
    C = color.hue(torch.tensor([2 * math.pi / 3]))
    assert_close(recolor(C, 1.0, 0.0, 0.0), torch.tensor([0.0, 1.0, 0.0]), rtol=0, atol=1e-6)


def test_saturation_0_leaves_the_mean_of_the_channels():
    assert_close(recolor(color.saturation(torch.tensor([0.0])), 0.9, 0.3, 0.0), torch.tensor([0.4, 0.4, 0.4]))


@pytest.mark.parametrize("change", [color.hue, color.saturation])
def test_gray_stays_gray(change):
    assert_close(recolor(change(torch.tensor([1.7])), 0.3, 0.3, 0.3), torch.tensor([0.3, 0.3, 0.3]))


def test_a_gray_image_changes_like_the_mean_of_the_same_image_in_rgb():
    gray = torch.randn(2, 1, 4, 4)
    C = color.luma_flip(torch.tensor([1.0, 0])) @ color.brightness(torch.tensor([0.3, -0.1]))
    in_rgb = color.recolor(gray.expand(2, 3, 4, 4), C).mean(1, keepdim=True)
    assert_close(color.recolor(gray, C), in_rgb)


def test_alpha_is_left_alone():
    images, C = torch.randn(2, 4, 4, 4), color.contrast(torch.tensor([2.0, 3.0]))
    y = color.recolor(images, C)
    assert torch.equal(y[:, 3:], images[:, 3:])
    assert_close(y[:, :3], color.recolor(images[:, :3], C))
