"""Convolution whose derivatives of any order are convolutions of the same three kinds.

A convolution is bilinear in picture and weight. Its gradients for the picture (a transposed convolution) and for the
weight are bilinear too, and their gradients are these three again. Autograd instead writes the second derivative for
the weight as a convolution with a kernel as large as the picture, which is slow, and which in bfloat16 on CPUs with
AMX gives wrong numbers without a word (seen with PyTorch 2.13 and oneDNN's brgemm kernels).
"""

from __future__ import annotations

from collections.abc import Sequence

import torch
import torch.nn.functional as F
from torch import Tensor


def conv2d(x: Tensor, weight: Tensor, *, stride: int = 1, padding: tuple[int, int] = (0, 0)) -> Tensor:
    """x [N, I, H, W], weight [O, I, K, K], padding (rows, columns) -> [N, O, H', W'], as `F.conv2d`."""
    return _Convolution.apply(x, weight, stride, padding)


def conv_transpose2d(x: Tensor, weight: Tensor, *, stride: int = 1, padding: tuple[int, int] = (0, 0)) -> Tensor:
    """x [N, O, H, W], weight [O, I, K, K] -> [N, I, (H-1)*stride + K - 2*padding, ...], as `F.conv_transpose2d`."""
    return _InputGradient.apply(x, weight, _transposed_size(x, weight, stride, padding), stride, padding)


class _Convolution(torch.autograd.Function):
    @staticmethod
    def forward(ctx, x, weight, stride, padding):
        ctx.save_for_backward(x, weight)
        ctx.options = stride, padding
        return F.conv2d(x, weight, stride=stride, padding=padding)

    @staticmethod
    def backward(ctx, grad):
        x, weight = ctx.saved_tensors
        grad_x = _InputGradient.apply(grad, weight, x.shape[2:], *ctx.options) if ctx.needs_input_grad[0] else None
        grad_weight = _WeightGradient.apply(grad, x, weight, *ctx.options) if ctx.needs_input_grad[1] else None
        return grad_x, grad_weight, None, None


class _InputGradient(torch.autograd.Function):
    """Bilinear in grad and weight; `size` is that of the picture, of which a stride tells only the quotient."""

    @staticmethod
    def forward(ctx, grad, weight, size, stride, padding):
        ctx.save_for_backward(grad, weight)
        ctx.options = stride, padding
        smallest = _transposed_size(grad, weight, stride, padding)
        rest = [n - m for n, m in zip(size, smallest, strict=True)]
        return F.conv_transpose2d(grad, weight, stride=stride, padding=padding, output_padding=rest)

    @staticmethod
    def backward(ctx, u):
        grad, weight = ctx.saved_tensors
        grad_grad = _Convolution.apply(u, weight, *ctx.options) if ctx.needs_input_grad[0] else None
        grad_weight = _WeightGradient.apply(grad, u, weight, *ctx.options) if ctx.needs_input_grad[1] else None
        return grad_grad, grad_weight, None, None, None


class _WeightGradient(torch.autograd.Function):
    """Bilinear in grad and x; `like` lends its shape."""

    @staticmethod
    def forward(ctx, grad, x, like, stride, padding):
        ctx.save_for_backward(grad, x)
        ctx.options = stride, padding
        return torch.ops.aten.convolution_backward(
            grad, x, like, None, [stride] * 2, list(padding), [1, 1], False, [0, 0], 1, [False, True, False]
        )[1]

    @staticmethod
    def backward(ctx, u):
        grad, x = ctx.saved_tensors
        grad_grad = _Convolution.apply(x, u, *ctx.options) if ctx.needs_input_grad[0] else None
        grad_x = _InputGradient.apply(grad, u, x.shape[2:], *ctx.options) if ctx.needs_input_grad[1] else None
        return grad_grad, grad_x, None, None, None


def _transposed_size(grad: Tensor, weight: Tensor, stride: int, padding: Sequence[int]) -> list[int]:
    """Rows and columns of the smallest picture that a convolution turns into one of the size of `grad`."""
    sizes = zip(grad.shape[2:], weight.shape[2:], padding, strict=True)
    return [(n - 1) * stride + k - 2 * p for n, k, p in sizes]
