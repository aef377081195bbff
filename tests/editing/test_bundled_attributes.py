"""Measures by which the directions of bundled networks are named: each sees its own change and no other."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor

from stylegan.editing.bundle import measure_clothes, measure_faces


def _face() -> Tensor:
    """Return a painted face [3, 64, 64] uint8: skin, hair on top, and a background of one color."""
    image = torch.full((3, 64, 64), 200, dtype=torch.uint8)
    image[:, 16:56, 20:44] = 150
    image[:, 8:16, 20:44] = 90
    return image


def _changed(name: str) -> Tensor:
    image = _face()
    if name == "light_skin":
        image[:, 16:56, 20:44] = 190
    elif name == "blue_background":
        image[0][image[0] == 200] = 150
        image[2][image[2] == 200] = 250  # the mean of the channels stays
    elif name == "dark_hair":
        image[:, 8:16, 20:44] = 20
    elif name == "big_hair":
        image[:, 2:30, 9:16] = 90
    elif name == "long_hair":
        image[:, 34:56, 5:14] = 90
    return image


@pytest.mark.parametrize(
    ("index", "name"), list(enumerate(["light_skin", "blue_background", "dark_hair", "big_hair", "long_hair"]))
)
def test_each_measure_of_faces_grows_with_its_attribute_alone(index: int, name: str) -> None:
    before, after = measure_faces(torch.stack([_face(), _changed(name)]))
    change = after - before
    assert change[index] > 0.1
    assert change.index_fill(0, torch.tensor(index), 0).abs().max() < 1e-6


def test_measures_of_clothes_grow_with_brightness_width_length_and_stripes() -> None:
    def garment(height: int, width: int, shade: int) -> Tensor:
        image = torch.zeros(1, 32, 32, dtype=torch.uint8)
        image[:, 16 - height : 16 + height, 16 - width : 16 + width] = shade
        return image

    striped = garment(8, 8, 100)
    striped[:, ::2][striped[:, ::2] > 0] = 200
    images = [garment(8, 8, 100), garment(8, 8, 200), garment(8, 12, 100), garment(12, 8, 100), striped]
    plain, *others = measure_clothes(torch.stack(images))
    for index, measured in enumerate(others):
        assert measured[index] > plain[index] + 0.05
