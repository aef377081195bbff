"""Instance norm and AdaIN."""

import pytest
import torch
from derivatives import assert_differentiable_twice, assert_twins, channels_last, is_channels_last
from reference_growing import instance_norm as slow_instance_norm
from torch.testing import assert_close

from stylegan.ops import instance_norm


def test_fast_and_slow_agree_to_second_derivatives():
    x = channels_last(torch.randn(3, 4, 5, 6)).double()
    scale, shift = torch.randn(3, 4, dtype=torch.float64), torch.randn(3, 4, dtype=torch.float64)
    assert_twins(instance_norm, slow_instance_norm, x, tolerance=1e-9)
    assert_twins(instance_norm, slow_instance_norm, x, scale, shift, tolerance=1e-9)


def test_numerical_differences_confirm_both_derivatives():
    x, style = torch.randn(2, 2, 3, 2, dtype=torch.float64), torch.randn(2, 2, 2, dtype=torch.float64)
    assert_differentiable_twice(instance_norm, x, *style)


def test_every_channel_of_every_image_takes_mean_and_deviation_of_its_style():
    x = 7 * torch.randn(2, 3, 16, 16) + 5
    scale, shift = torch.rand(2, 3) + 0.5, torch.randn(2, 3)
    variance, mean = torch.var_mean(instance_norm(x, scale, shift), [2, 3], unbiased=False)
    assert_close(mean, shift)
    assert_close(variance.sqrt(), scale)


def test_a_constant_channel_becomes_its_shift():
    y = instance_norm(torch.full([1, 2, 4, 4], 3.0), torch.ones(1, 2), torch.tensor([[0.5, -1.0]]))
    assert_close(y, torch.tensor([0.5, -1.0])[None, :, None, None].expand(1, 2, 4, 4))


@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16, torch.float32, torch.float64])
def test_dtype_and_channels_last_are_kept_and_statistics_are_exact(dtype):
    x = channels_last((torch.randn(2, 3, 32, 32) * 100 + 300).to(dtype))  # squares that fp16 does not have
    y = instance_norm(x)
    assert y.dtype == dtype
    assert is_channels_last(y)
    tolerance = {torch.float16: 2e-3, torch.bfloat16: 1e-2}.get(dtype, 1e-5)
    assert_close(y.double(), slow_instance_norm(x.double()), rtol=tolerance, atol=tolerance)
