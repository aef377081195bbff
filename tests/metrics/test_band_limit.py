"""The filter of turned images."""

import math

import pytest
import torch
from torch.testing import assert_close

from stylegan.metrics.band_limit import band_limit_filter
from stylegan.sampling.transform import inverse_transform


def rotation(degrees):
    return inverse_transform(degrees=-degrees)[:2, :2]


def response(f, up, frequency):
    """The gain of the taps at a frequency [2] in cycles per pixel."""
    axis = (torch.arange(len(f)) - len(f) // 2).double() / up
    y, x = torch.meshgrid(axis, axis, indexing="ij")
    return float((f * torch.cos(2 * math.pi * (frequency[0] * x + frequency[1] * y))).sum())


@pytest.mark.parametrize(("up", "size"), [(1, 11), (4, 47)])
@pytest.mark.parametrize("degrees", [0, 17, 45, -160])
def test_every_polyphase_component_has_the_same_gain_at_dc(up, size, degrees):
    f = band_limit_filter(rotation(degrees), up)
    assert f.shape == (size, size)
    for i in range(up):
        for j in range(up):
            assert float(f[i::up, j::up].sum()) == pytest.approx(1 / up**2)


def test_quarter_turns_change_nothing_and_half_a_turn_is_none():
    straight = band_limit_filter(rotation(0), 1)
    for degrees in (90, 180, 270):
        assert_close(band_limit_filter(rotation(degrees), 1), straight)
    assert_close(band_limit_filter(rotation(33), 1), band_limit_filter(rotation(213), 1))


def test_it_passes_what_both_grids_hold_and_stops_what_the_turned_one_cannot():
    """Near a corner of the square of all frequencies: turned one way it stays inside, the other way it leaves."""
    stays, leaves = band_limit_filter(rotation(-20), 4), band_limit_filter(rotation(20), 4)
    corner = 0.62 * math.cos(math.radians(35)), 0.62 * math.sin(math.radians(35))  # y points down
    assert response(stays, 4, corner) > 2 * response(leaves, 4, corner)
    for f in (stays, leaves):
        assert response(f, 4, (0.1, 0.05)) == pytest.approx(1, abs=0.01)


def test_enlarging_filter_stops_the_mirror_images():
    f = band_limit_filter(rotation(30), 4)
    assert abs(response(f, 4, (0.9, 0.0))) < 0.01
    assert abs(response(f, 4, (0.2, 1.1))) < 0.01
