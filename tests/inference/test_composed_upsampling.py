"""Up-sampling composed into one kernel a phase."""

import pytest
import torch
from torch.testing import assert_close

from stylegan.inference.composed_upsampling import composed_kernel, composed_upsampling, image_taps, upsample_image
from stylegan.ops import resample_conv2d, setup_filter, upsample2d

FILTERS = [[1, 3, 3, 1], [1, 2, 1], [1, 1], [1, 2, 3, 4, 5], [1, 2, 3, 4, 5, 6], [[1, 2, 0], [0, 5, 1], [3, 0, 1]]]


@pytest.mark.parametrize("taps", FILTERS)
def test_a_composed_kernel_does_what_convolution_and_filter_do(taps):
    torch.manual_seed(0)
    f, weight, x = setup_filter(taps), torch.randn(5, 3, 3, 3), torch.randn(2, 3, 6, 7)
    expected = resample_conv2d(x, weight, f, up=2, padding=1, flip_weight=False)
    assert_close(composed_upsampling(x, composed_kernel(weight, f)), expected, rtol=1e-5, atol=1e-5)


def test_the_papers_filter_gives_one_3x3_kernel_a_phase():
    assert composed_kernel(torch.randn(5, 3, 3, 3), setup_filter([1, 3, 3, 1])).shape == (20, 3, 3, 3)


@pytest.mark.parametrize("taps", FILTERS)
def test_shifted_images_add_up_to_the_upsampled_image(taps):
    torch.manual_seed(0)
    f, img = setup_filter(taps), torch.randn(2, 3, 6, 7)
    assert_close(upsample_image(img, image_taps(f)), upsample2d(img, f))
