"""Convolution whose derivatives of any order are convolutions of the same three kinds.

A convolution is bilinear in image and weight. Its gradients for the image (a transposed convolution) and for the
weight are bilinear too, and their gradients are again these three operations. Autograd instead computes the second
derivative for the weight as a convolution with a kernel as large as the image. This is slow, and in bfloat16 on CPUs
with AMX it silently gives wrong numbers (observed with PyTorch 2.13 and oneDNN's brgemm kernels).
"""

from __future__ import annotations

from collections.abc import Sequence

import torch
import torch.nn.functional as F
from torch import Tensor

from stylegan.errors import ShapeError
from stylegan.ops.derivatives import apply, differentiable, keep, total
from stylegan.ops.upfirdn2d import pad_then_crop, phase


def conv2d(x: Tensor, weight: Tensor, *, stride: int = 1, padding: tuple[int, int] = (0, 0), groups: int = 1) -> Tensor:
    """Correlate as `F.conv2d` does: x [N, I, H, W], weight [O, I/groups, K, K] -> [N, O, H', W'].

    `padding` is in (rows, columns). Raises: ShapeError for a weight of other channels or larger than the padded image.
    """
    (_, channels, h, w), (_, inputs, kh, kw) = x.shape, weight.shape
    if channels != inputs * groups:
        raise ShapeError(f"a weight {list(weight.shape)} takes {inputs * groups} channels, got an x {list(x.shape)}.")
    if h + 2 * padding[0] < kh or w + 2 * padding[1] < kw:
        raise ShapeError(
            f"a kernel of {kh}x{kw} does not fit an image of {h}x{w} padded by {padding[0]} and {padding[1]}; use a "
            "larger image or more padding."
        )
    return apply(_Convolution, x, weight, stride, *padding, groups)


def conv_transpose2d(x: Tensor, weight: Tensor, *, stride: int = 1, padding: tuple[int, int] = (0, 0)) -> Tensor:
    """Transposed convolution, as `F.conv_transpose2d`.

    x [N, O, H, W], weight [O, I, K, K], padding (rows, columns) -> [N, I, (H-1)*stride + K - 2*padding, ...]
    Raises: ShapeError for a weight of other channels.
    """
    if x.shape[1] != len(weight):
        raise ShapeError(f"a weight {list(weight.shape)} takes {len(weight)} channels, got an x {list(x.shape)}.")
    return apply(_InputGradient, x, weight, *_transposed_size(x, weight, stride, padding), stride, *padding, 1)


# Options are single numbers: rules that `torch.func` generates fail for tuples in nested derivatives (PyTorch 2.13).
@differentiable
class _Convolution(torch.autograd.Function):
    generate_vmap_rule = True

    @staticmethod
    def forward(x, weight, stride, pad_y, pad_x, groups):
        return F.conv2d(x, weight, stride=stride, padding=(pad_y, pad_x), groups=groups)

    @staticmethod
    def setup_context(ctx, inputs, output):
        x, weight, *ctx.options = inputs
        keep(ctx, x, weight)

    @staticmethod
    def backward(ctx, grad):
        x, weight = ctx.saved_tensors
        grad_x = grad_weight = None
        if ctx.needs_input_grad[0]:
            grad_x = apply(_InputGradient, grad, weight, *x.shape[2:], *ctx.options)
        if ctx.needs_input_grad[1]:
            grad_weight = apply(_WeightGradient, grad, x, weight, *ctx.options)
        return grad_x, grad_weight, None, None, None, None

    @staticmethod
    def tangent(ctx, along_x, along_weight, *_):
        x, weight = ctx.saved_tensors
        return total(
            apply(_Convolution, along_x, weight, *ctx.options) if along_x is not None else None,
            apply(_Convolution, x, along_weight, *ctx.options) if along_weight is not None else None,
        )


@differentiable
class _InputGradient(torch.autograd.Function):
    """Gradient for the image, bilinear in grad and weight.

    The size of the image is an argument because, with a stride, several sizes give the same result size.
    """

    generate_vmap_rule = True

    @staticmethod
    def forward(grad, weight, height, width, stride, pad_y, pad_x, groups):
        return _transposed(grad, weight, (height, width), stride, (pad_y, pad_x), groups)

    @staticmethod
    def setup_context(ctx, inputs, output):
        grad, weight, *sizes = inputs
        ctx.size, ctx.options = sizes[:2], sizes[2:]
        keep(ctx, grad, weight)

    @staticmethod
    def backward(ctx, u):
        grad, weight = ctx.saved_tensors
        grad_grad = grad_weight = None
        if ctx.needs_input_grad[0]:
            grad_grad = apply(_Convolution, u, weight, *ctx.options)
        if ctx.needs_input_grad[1]:
            grad_weight = apply(_WeightGradient, grad, u, weight, *ctx.options)
        return grad_grad, grad_weight, None, None, None, None, None, None

    @staticmethod
    def tangent(ctx, along_grad, along_weight, *_):
        grad, weight = ctx.saved_tensors
        options = *ctx.size, *ctx.options
        return total(
            apply(_InputGradient, along_grad, weight, *options) if along_grad is not None else None,
            apply(_InputGradient, grad, along_weight, *options) if along_weight is not None else None,
        )


@differentiable
class _WeightGradient(torch.autograd.Function):
    """Gradient for the weight, bilinear in grad and x; `like` provides the shape of the weight."""

    generate_vmap_rule = True

    @staticmethod
    def forward(grad, x, like, stride, pad_y, pad_x, groups):
        kh, kw = like.shape[2:]
        if stride == groups == 1 and pad_y == kh - 1 > 0 and pad_x == kw - 1:
            # Full padding makes the transpose of a convolution without padding from y to x, whose weight gradient is
            # the same sum with x and grad exchanged. oneDNN takes 40 to 60 % of the time for it in bfloat16.
            exchanged = _weight_gradient(x, grad, like.transpose(0, 1), 1, (0, 0), 1)
            return exchanged.flip([2, 3]).transpose(0, 1)
        return _weight_gradient(grad, x, like, stride, (pad_y, pad_x), groups)

    @staticmethod
    def setup_context(ctx, inputs, output):
        grad, x, _, *ctx.options = inputs
        ctx.shape = output.shape
        keep(ctx, grad, x)

    @staticmethod
    def backward(ctx, u):
        grad, x = ctx.saved_tensors
        grad_grad = grad_x = None
        if ctx.needs_input_grad[0]:
            grad_grad = apply(_Convolution, x, u, *ctx.options)
        if ctx.needs_input_grad[1]:
            grad_x = apply(_InputGradient, grad, u, *x.shape[2:], *ctx.options)
        return grad_grad, grad_x, None, None, None, None, None

    @staticmethod
    def tangent(ctx, along_grad, along_x, *_):
        grad, x = ctx.saved_tensors
        options = x.new_empty(ctx.shape), *ctx.options
        return total(
            apply(_WeightGradient, along_grad, x, *options) if along_grad is not None else None,
            apply(_WeightGradient, grad, along_x, *options) if along_x is not None else None,
        )


def _weight_gradient(
    grad: Tensor, x: Tensor, like: Tensor, stride: int, padding: tuple[int, int], groups: int
) -> Tensor:
    wanted = [False, True, False]
    return torch.ops.aten.convolution_backward(
        grad, x, like, None, [stride] * 2, padding, [1, 1], False, [0, 0], groups, wanted
    )[1]


def _transposed_size(grad: Tensor, weight: Tensor, stride: int, padding: Sequence[int]) -> list[int]:
    """Rows and columns of the smallest image for which the convolution returns the size of `grad`."""
    sizes = zip(grad.shape[2:], weight.shape[2:], padding, strict=True)
    return [(n - 1) * stride + k - 2 * p for n, k, p in sizes]


def _transposed(
    x: Tensor, weight: Tensor, size: Sequence[int], stride: int, padding: tuple[int, int], groups: int
) -> Tensor:
    """Transposed convolution to a given size: x [N, O, H, W], weight [O, I/groups, K, K] -> [N, I, *size]."""
    if stride > 1 and groups == 1 and x.device.type == "cpu" and x.dtype == torch.bfloat16:
        return _transposed_by_phase(x, weight, size, stride, padding)
    smallest = _transposed_size(x, weight, stride, padding)
    rest = [n - m for n, m in zip(size, smallest, strict=True)]
    return F.conv_transpose2d(x, weight, stride=stride, padding=padding, output_padding=rest, groups=groups)


def _transposed_by_phase(
    x: Tensor, weight: Tensor, size: Sequence[int], stride: int, padding: tuple[int, int]
) -> Tensor:
    """Transposed convolution as stride**2 convolutions at the low resolution, several times as fast as oneDNN's."""
    kernel = weight.flip([2, 3]).transpose(0, 1)  # [I, O, K, K], correlates with the zero-stuffed x
    k = weight.shape[-1]
    y = x.new_empty([len(x), *size, weight.shape[1]]).permute(0, 3, 1, 2)
    for row in range(min(stride, size[0])):
        first_y, pad_y = phase(row, stride, k - 1 - padding[0], k, x.shape[2], size[0])
        for column in range(min(stride, size[1])):
            first_x, pad_x = phase(column, stride, k - 1 - padding[1], k, x.shape[3], size[1])
            part = kernel[:, :, first_y::stride, first_x::stride]
            y[:, :, row::stride, column::stride] = _padded_conv(x, part, pad_x, pad_y) if part.numel() else 0
    return y


def _padded_conv(x: Tensor, weight: Tensor, pad_x: tuple[int, int], pad_y: tuple[int, int]) -> Tensor:
    if pad_x[0] == pad_x[1] >= 0 and pad_y[0] == pad_y[1] >= 0:
        return F.conv2d(x, weight, padding=(pad_y[0], pad_x[0]))
    return F.conv2d(pad_then_crop(x, (*pad_x, *pad_y)), weight)
