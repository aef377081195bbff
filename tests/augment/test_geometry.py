"""Resampling by an affine map, and the bilinear sampling beneath it."""

import pytest
import torch
import torch.nn.functional as F
from derivatives import assert_differentiable_twice, assert_twins
from golden import RECORDS, R
from torch.testing import assert_close

from stylegan.augment import geometry
from stylegan.augment.geometry import warp, wavelet
from stylegan.augment.matrices import rotation, scaling, translation
from stylegan.augment.sample import sample_bilinear

CPU = torch.device("cpu")
NEARLY_STILL = translation(1e-6, 0, CPU)  # an identity that is resampled all the same


def tilted(n: int) -> torch.Tensor:
    theta = torch.linspace(0.3, 2, n)
    return translation(1.3, -0.4, CPU) @ rotation(theta) @ scaling(0.7, 1.2, CPU)


def test_the_wavelet_enlarges_and_shrinks_back_to_the_same_image():
    images = R(15, [2, 3, 16, 16])
    y = warp(images, NEARLY_STILL.expand(2, 3, 3), wavelet())
    assert_close(y, images, rtol=0, atol=2 * RECORDS["aug_bgc_p0_maxerr"] + 1e-5)
    assert not torch.equal(y, images)


def test_a_batch_of_identities_is_returned_as_it_is():
    images = torch.randn(2, 3, 8, 8)
    assert warp(images, torch.eye(3).expand(2, 3, 3), wavelet()) is images


def test_whole_pixel_shifts_are_exact_away_from_the_border():
    images = R(15, [1, 3, 16, 16])
    y = warp(images, translation(torch.tensor([-3.0]), 2, CPU), wavelet())  # shows the pixel 3 to the left and 2 below
    assert_close(y[:, :, 3:11, 6:12], images[:, :, 5:13, 3:9], rtol=0, atol=2e-5)


def test_borders_are_reflected():
    images = R(15, [1, 1, 16, 16])
    y = warp(images, translation(torch.tensor([-4.0]), 0, CPU), wavelet())
    reflected = F.pad(images, [4, 0, 0, 0], mode="reflect")[..., :16]
    assert_close(y, reflected, rtol=0, atol=2e-5)


@pytest.mark.parametrize("size", [(16, 16), (9, 14)])
def test_matrices_and_filters_agree_to_second_derivatives(monkeypatch, size):
    images = torch.randn(2, 3, *size, dtype=torch.float64)
    f = wavelet()

    def with_filters(x):
        monkeypatch.setattr(geometry, "DENSE_PIXELS", 0)
        y = warp(x, tilted(2), f)
        monkeypatch.undo()
        return y

    assert_twins(lambda x: warp(x, tilted(2), f), with_filters, images)


def test_images_too_large_for_matrices_are_warped_the_same(monkeypatch):
    side = geometry.DENSE_PIXELS + 2
    images = torch.randn(1, 1, side, side)
    by_filters = warp(images, tilted(1), wavelet())
    monkeypatch.setattr(geometry, "DENSE_PIXELS", side)
    assert_close(warp(images, tilted(1), wavelet()), by_filters, rtol=1e-4, atol=1e-4)


def test_sampling_is_that_of_torch():
    images, grid = torch.randn(2, 3, 5, 7), torch.rand(2, 4, 6, 2) * 3 - 1.5
    assert torch.equal(sample_bilinear(images, grid), F.grid_sample(images, grid, align_corners=False))


def test_numerical_differences_confirm_both_derivatives_of_sampling():
    grid = torch.rand(2, 3, 4, 2, dtype=torch.float64) * 2.4 - 1.2
    images = torch.randn(2, 2, 4, 5, dtype=torch.float64)
    assert_differentiable_twice(lambda x: sample_bilinear(x, grid).tanh(), images)
