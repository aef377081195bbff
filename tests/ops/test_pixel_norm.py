"""Pixel norm."""

import pytest
import reference
import torch
from derivatives import assert_differentiable_twice, assert_twins, channels_last, is_channels_last
from torch.testing import assert_close

from stylegan.ops import pixel_norm


@pytest.mark.parametrize(("shape", "dim"), [((3, 5), 1), ((2, 3, 4, 2), 1), ((2, 3, 4), 2), ((2, 3, 4), 0)])
def test_fast_and_slow_agree_to_second_derivatives(shape, dim):
    x = torch.randn(shape, dtype=torch.float64)
    assert_twins(lambda x: pixel_norm(x, dim=dim), lambda x: reference.pixel_norm(x, dim=dim), x, tolerance=1e-9)


def test_numerical_differences_confirm_both_derivatives():
    assert_differentiable_twice(pixel_norm, torch.randn(2, 4, 2, dtype=torch.float64))


def test_every_vector_has_unit_mean_square():
    y = pixel_norm(5 * torch.randn(4, 8, 3, 3))
    assert_close(y.square().mean(1), torch.ones(4, 3, 3))


def test_zero_stays_zero():
    assert torch.equal(pixel_norm(torch.zeros(2, 4)), torch.zeros(2, 4))


@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16, torch.float32, torch.float64])
def test_dtype_and_channels_last_are_kept(dtype):
    y = pixel_norm(channels_last(torch.randn(2, 3, 4, 5).to(dtype)))
    assert y.dtype == dtype
    assert is_channels_last(y)


@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16])
@pytest.mark.parametrize("size", [1e-3, 1.0, 255.0, 256.0, 1e3, 6e4])
def test_squares_neither_overflow_nor_vanish_in_half_precision(dtype, size):
    """The largest number of fp16 is 65504, which 256 squared exceeds; the square of 1e-3 is one of its smallest."""
    x = (torch.tensor([1.0, -0.5, 0.25, 0.75])[None] * size).to(dtype)
    expected = reference.pixel_norm(x.double(), dim=1)
    assert_close(pixel_norm(x).double(), expected, rtol=2**-6 if dtype == torch.bfloat16 else 2**-9, atol=0)
