"""The transform of an image: shift and rotation."""

import math

import pytest
import torch
from tiny_generator import tiny_generator
from torch.testing import assert_close

from stylegan.errors import ConfigError
from stylegan.sampling.transform import inverse_transform, transform_of


def seen(x, y, T):
    return (T @ torch.tensor([x, y, 1.0], dtype=torch.float64))[:2].tolist()


def test_a_quarter_turn_brings_what_is_on_the_right_to_the_top():
    assert seen(0, -0.4, inverse_transform(degrees=90)) == pytest.approx([0.4, 0])


def test_a_moved_image_shows_its_center_where_it_was_moved_to():
    for degrees in (0, 77):
        assert seen(0.2, -0.1, inverse_transform(0.2, -0.1, degrees)) == pytest.approx([0, 0])


def test_it_is_the_inverse_of_turning_and_then_moving():
    c, s = math.cos(math.radians(25)), math.sin(math.radians(25))
    forward = torch.tensor([[c, s, 0.3], [-s, c, 0.1], [0, 0, 1]], dtype=torch.float64)
    assert_close(inverse_transform(0.3, 0.1, 25) @ forward, torch.eye(3, dtype=torch.float64))
    assert torch.equal(inverse_transform(), torch.eye(3, dtype=torch.float64))


def test_another_network_has_no_transform():
    with pytest.raises(ConfigError, match="only images of a StyleGAN3 can be shifted and rotated, and this is"):
        transform_of(tiny_generator())
