"""Convolution with its own derivatives."""

import pytest
import torch
import torch.nn.functional as F
from derivatives import assert_differentiable_twice, assert_twins

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


@pytest.mark.parametrize("kernel", [(3, 3), (2, 3), (1, 3)])
@pytest.mark.parametrize("size", [(4, 4), (5, 3), (1, 1)])
def test_full_padding_has_the_derivatives_of_pytorch(size, kernel):
    x, weight = torch.randn(2, 3, *size, dtype=torch.float64), torch.randn(4, 3, *kernel, dtype=torch.float64)
    padding = (kernel[0] - 1, kernel[1] - 1)
    assert_twins(lambda x, w: conv2d(x, w, padding=padding), lambda x, w: F.conv2d(x, w, padding=padding), x, weight)


@pytest.mark.parametrize("padding", [(1, 1), (2, 2)])
def test_the_gradient_of_the_weight_in_bfloat16_is_near(padding):
    x, weight = torch.randn(2, 8, 9, 7), torch.randn(4, 8, 3, 3)

    def gradient(dtype):
        w = weight.to(dtype, memory_format=torch.channels_last).requires_grad_()
        y = conv2d(x.to(dtype, memory_format=torch.channels_last), w, padding=padding)
        return torch.autograd.grad(y.sum(), w)[0]

    expected = gradient(torch.float32)
    torch.testing.assert_close(gradient(torch.bfloat16).float(), expected, rtol=0.02, atol=0.02 * expected.std().item())


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


def test_groups_see_only_their_own_channels():
    x, weight = torch.randn(2, 6, 5, 5), torch.randn(4, 3, 3, 3)
    parts = [conv2d(x[:, 3 * i : 3 * i + 3], weight[2 * i : 2 * i + 2], padding=(1, 1)) for i in range(2)]
    torch.testing.assert_close(conv2d(x, weight, padding=(1, 1), groups=2), torch.cat(parts, 1))


@pytest.mark.parametrize("stride", [1, 2])
def test_numerical_differences_confirm_both_derivatives_of_groups(stride):
    x, weight = torch.randn(1, 4, 4, 4, dtype=torch.float64), torch.randn(4, 2, 3, 3, dtype=torch.float64)
    assert_differentiable_twice(lambda x, w: conv2d(x, w, stride=stride, padding=(1, 1), groups=2), x, weight)


def test_second_derivatives_of_groups_in_bfloat16_are_near():
    def second(dtype):
        generator = torch.Generator().manual_seed(0)
        x = torch.randn([4, 32, 16, 16], generator=generator).to(dtype).requires_grad_()
        weight = torch.randn([32, 16, 3, 3], generator=generator).to(dtype).requires_grad_()
        y = conv2d(x.contiguous(memory_format=torch.channels_last), weight, padding=(1, 1), groups=2)
        (g,) = torch.autograd.grad(y.square().sum(), x, create_graph=True)
        return torch.autograd.grad(g.square().sum(), weight)[0].float()

    torch.testing.assert_close(
        torch.nn.functional.cosine_similarity(second(torch.float32).flatten(), second(torch.bfloat16).flatten(), dim=0),
        torch.tensor(1.0),
        rtol=0.01,
        atol=0,
    )
