"""Convolution behind repeated pixels or before averaged boxes is `resample_conv2d` with a box filter."""

import pytest
import torch
import torch.nn.functional as F
from derivatives import assert_twins
from reference_growing import box4x4, nearest
from torch.testing import assert_close

from stylegan.ops import resample_conv2d, setup_filter

BOX = setup_filter([1, 1])


def inputs() -> tuple[torch.Tensor, torch.Tensor]:
    return torch.randn(2, 3, 6, 4, dtype=torch.float64), torch.randn(5, 3, 3, 3, dtype=torch.float64)


def up(x, weight):
    return resample_conv2d(x, weight, BOX, up=2, padding=1)


def down(x, weight):
    return resample_conv2d(x, weight, BOX, down=2, padding=1)


def test_repeating_pixels_then_correlating_agrees_to_second_derivatives():
    assert_twins(up, lambda x, w: F.conv2d(nearest(x), w, padding=1), *inputs(), tolerance=1e-9)


def test_correlating_then_averaging_agrees_to_second_derivatives():
    assert_twins(down, lambda x, w: F.avg_pool2d(F.conv2d(x, w, padding=1), 2), *inputs(), tolerance=1e-9)


def test_the_fused_transposed_convolution_has_the_kernel_rotated_by_180_degrees():
    """Official files store kernels for the fused form: all of ProGAN, and StyleGAN1 from 128 pixels on."""
    x, stored = inputs()
    fused = F.conv_transpose2d(x, box4x4(stored).transpose(0, 1), stride=2, padding=1)
    assert_close(up(x, stored.flip([2, 3])), fused)
    assert (up(x, stored) - fused).abs().max() > 0.1


def test_the_fused_strided_convolution_has_the_kernel_unchanged():
    x, stored = inputs()
    assert_close(down(x, stored), F.conv2d(x, box4x4(stored) / 4, stride=2, padding=1))


@pytest.mark.parametrize("dtype", [torch.bfloat16, torch.float32])
def test_reduced_precision_gives_the_same_function(dtype):
    x, weight = (t.to(dtype) for t in inputs())
    expected = F.conv2d(nearest(x).double(), weight.double(), padding=1)
    tolerance = 1e-5 if dtype == torch.float32 else 5e-2
    assert_close(up(x, weight).double(), expected, rtol=tolerance, atol=4 * tolerance)
