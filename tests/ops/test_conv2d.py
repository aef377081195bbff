"""Convolution with its own derivatives."""

import pytest
import torch
import torch.nn.functional as F
from derivatives import assert_differentiable_twice

from stylegan.ops.conv2d import conv2d, conv_transpose2d


@pytest.mark.parametrize("size", [5, 6])
@pytest.mark.parametrize(("stride", "padding"), [(1, (1, 1)), (2, (0, 0)), (2, (1, 0)), (3, (2, 1))])
def test_values_are_those_of_pytorch(stride, padding, size):
    x, weight = torch.randn(2, 3, size, size), torch.randn(4, 3, 3, 3)
    y = conv2d(x, weight, stride=stride, padding=padding)
    torch.testing.assert_close(y, F.conv2d(x, weight, stride=stride, padding=padding))
    x = torch.randn(2, 4, size, size)
    y = conv_transpose2d(x, weight, stride=stride, padding=padding)
    torch.testing.assert_close(y, F.conv_transpose2d(x, weight, stride=stride, padding=padding))


@pytest.mark.parametrize("size", [4, 5])
@pytest.mark.parametrize("stride", [1, 2])
def test_numerical_differences_confirm_both_derivatives(stride, size):
    weight = torch.randn(2, 2, 3, 3, dtype=torch.float64)
    x = torch.randn(1, 2, size, size, dtype=torch.float64)
    assert_differentiable_twice(lambda x, w: conv2d(x, w, stride=stride, padding=(1, 1)), x, weight)
    assert_differentiable_twice(lambda x, w: conv_transpose2d(x, w, stride=stride), x, weight)
