"""Convolution with resampling."""

import pytest
import reference
import torch
from derivatives import assert_differentiable_twice, assert_twins, channels_last, is_channels_last
from torch.testing import assert_close

from stylegan.errors import ShapeError
from stylegan.ops import resample_conv2d, setup_filter

SCALES = [(1, 1), (2, 1), (1, 2), (2, 2), (3, 1), (1, 3), (3, 2)]
FILTERS = {
    "1331": setup_filter([1, 3, 3, 1]),
    "124": setup_filter([1, 2, 4]),
    "2-D": setup_filter([[1, 2, 3], [4, 5, 9]]),
    "separable": setup_filter([1, -2, 3, 4, 5], separable=True),
    "none": None,
}


@pytest.mark.parametrize("name", FILTERS)
@pytest.mark.parametrize(("up", "down"), SCALES)
@pytest.mark.parametrize("k", [1, 3])
def test_fast_and_slow_agree_to_second_derivatives(k, up, down, name):
    x, weight = torch.randn(2, 3, 7, 6, dtype=torch.float64), torch.randn(2, 3, k, k, dtype=torch.float64)
    for flip in (True, False):
        options = {"up": up, "down": down, "padding": k // 2, "flip_weight": flip}
        assert_twins(
            lambda x, w: resample_conv2d(x, w, FILTERS[name], **options),
            lambda x, w: reference.resample_conv2d(x, w, FILTERS[name], **options),
            x,
            weight,
        )


@pytest.mark.parametrize("padding", [0, 2, -1, (2, 0), (3, -1, 0, 2)])
@pytest.mark.parametrize(("up", "down"), SCALES[:4])
def test_every_padding_is_in_pixels_of_the_larger_grid(up, down, padding):
    x, weight = channels_last(torch.randn(1, 2, 8, 7)).double(), torch.randn(3, 2, 3, 3, dtype=torch.float64)
    options = {"f": FILTERS["1331"], "up": up, "down": down, "padding": padding}
    assert_twins(
        lambda x, w: resample_conv2d(x, w, **options),
        lambda x, w: reference.resample_conv2d(x, w, **options),
        x,
        weight,
    )


@pytest.mark.parametrize(("k", "up", "down"), [(3, 1, 1), (3, 2, 1), (3, 1, 2), (1, 2, 1), (1, 1, 2), (3, 2, 2)])
def test_numerical_differences_confirm_both_derivatives(k, up, down):
    f = setup_filter([1, 3, 2])
    x, weight = torch.randn(1, 2, 4, 4, dtype=torch.float64), torch.randn(2, 2, k, k, dtype=torch.float64)
    assert_differentiable_twice(lambda x, w: resample_conv2d(x, w, f, up=up, down=down, padding=k // 2), x, weight)


def test_outputs_are_the_published_numbers():
    f, weight = FILTERS["1331"], torch.arange(1.0, 10).reshape(1, 1, 3, 3)
    x = torch.zeros(1, 1, 3, 3)
    x[0, 0, 1, 1] = 1
    convolved = resample_conv2d(x, weight, f, up=2, padding=1, flip_weight=False)[0, 0, 2]
    assert_close(convolved, torch.tensor([1.375, 5.9375, 11.8125, 13.5625, 8.5625, 2.25]))
    correlated = resample_conv2d(x, weight, f, up=2, padding=1)[0, 0, 2]
    assert_close(correlated, torch.tensor([3, 11.5625, 18.8125, 17.0625, 8.9375, 2.125]))
    x = torch.arange(16.0).reshape(1, 1, 4, 4)
    down = resample_conv2d(x, weight, f, down=2, padding=1)[0, 0]
    assert_close(down, torch.tensor([[183.921875, 206.46875], [264.359375, 268.53125]]))


@pytest.mark.parametrize("k", [1, 3, 5])
@pytest.mark.parametrize(("up", "down"), SCALES)
def test_half_the_kernel_as_padding_keeps_the_promised_size(k, up, down):
    y = resample_conv2d(
        torch.zeros(2, 3, 12, 6), torch.zeros(4, 3, k, k), FILTERS["1331"], up=up, down=down, padding=k // 2
    )
    assert y.shape == (2, 4, 12 * up // down, 6 * up // down)


@pytest.mark.parametrize(("k", "up", "down"), [(3, 1, 1), (3, 2, 1), (3, 1, 2), (1, 2, 1), (1, 1, 2)])
@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16, torch.float32, torch.float64])
def test_dtype_and_channels_last_are_kept(dtype, k, up, down):
    x, weight = channels_last(torch.randn(2, 4, 8, 8).to(dtype)).requires_grad_(), torch.randn(4, 4, k, k).to(dtype)
    y = resample_conv2d(x, weight, FILTERS["1331"], up=up, down=down, padding=k // 2)
    (gradient,) = torch.autograd.grad(y, x, torch.randn_like(y))
    assert y.dtype == gradient.dtype == dtype
    assert is_channels_last(y)
    assert is_channels_last(gradient)


def test_filter_larger_than_the_image_is_refused():
    with pytest.raises(ShapeError, match=r"a filter of 4x4 taps does not fit an image of 3x3 pixels after padding"):
        resample_conv2d(torch.zeros(1, 1, 1, 1), torch.zeros(1, 1, 1, 1), FILTERS["1331"], down=2)


@pytest.mark.parametrize("batch", [4, 8, 16])
@pytest.mark.parametrize("scale", [{}, {"up": 2}, {"down": 2}])
def test_second_derivatives_in_bf16_are_those_of_float32(scale, batch):
    """Autograd's are wrong on CPUs with AMX: oneDNN fails if the kernel is as large as the image."""
    x, weight = torch.randn(batch, 8, 16, 16), torch.randn(8, 8, 3, 3)
    gradients = []
    for dtype in (torch.float32, torch.bfloat16):
        image, kernel = channels_last(x.to(dtype)).requires_grad_(), weight.to(dtype).requires_grad_()
        y = resample_conv2d(image, kernel, FILTERS["1331"], padding=1, **scale)
        (first,) = torch.autograd.grad(y.square().sum(), image, create_graph=True)
        gradients.append(torch.autograd.grad(first.square().sum(), kernel)[0].float().flatten())
    assert torch.cosine_similarity(*gradients, dim=0) > 0.999
