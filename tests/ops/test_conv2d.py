"""Convolution with its own derivatives."""

import pytest
import torch
import torch.nn.functional as F
from derivatives import assert_differentiable_twice

from stylegan.ops.conv2d import _transposed_by_phase, conv2d, conv_transpose2d


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


@pytest.mark.parametrize("size", [4, 5])
@pytest.mark.parametrize("k", [1, 2, 3])
@pytest.mark.parametrize(("stride", "padding"), [(2, (0, 0)), (2, (1, 1)), (2, (1, 0)), (3, (0, 1))])
def test_phases_add_up_to_the_transposed_convolution(stride, padding, k, size):
    x, weight = torch.randn(2, 4, size, size), torch.randn(4, 3, k, k)
    for rest in range(stride):
        padding = tuple(min(p, k - 1) for p in padding)
        slow = F.conv_transpose2d(x, weight, stride=stride, padding=padding, output_padding=rest)
        fast = _transposed_by_phase(x, weight, slow.shape[2:], stride, padding)
        torch.testing.assert_close(fast, slow)
