"""Bias, activation, gain and clamp: the end of every layer."""

from __future__ import annotations

import math
from collections.abc import Callable

import torch
import torch.nn.functional as F
from torch import Tensor

from stylegan.errors import ConfigError
from stylegan.ops.derivatives import apply, differentiable, keep, leading, total

# name -> (function of x and alpha, default alpha, default gain). A gain of sqrt(2) keeps the variance of a
# rectified unit Gaussian near one, so all layers can use the same initialization (He et al. 2015).
ACTIVATIONS: dict[str, tuple[Callable[[Tensor, float], Tensor], float, float]] = {
    "linear": (lambda x, _: x, 0.0, 1.0),
    "relu": (lambda x, _: F.relu(x), 0.0, math.sqrt(2)),
    "lrelu": (lambda x, alpha: F.leaky_relu(x, alpha), 0.2, math.sqrt(2)),
    "tanh": (lambda x, _: x.tanh(), 0.0, 1.0),
    "sigmoid": (lambda x, _: x.sigmoid(), 0.0, 1.0),
    "elu": (lambda x, _: F.elu(x), 0.0, 1.0),
    "selu": (lambda x, _: F.selu(x), 0.0, 1.0),
    "softplus": (lambda x, _: F.softplus(x), 0.0, 1.0),
    "swish": (lambda x, _: F.silu(x), 0.0, math.sqrt(2)),
}


def bias_act(
    x: Tensor,
    b: Tensor | None = None,
    *,
    dim: int = 1,
    act: str = "linear",
    alpha: float | None = None,
    gain: float | None = None,
    clamp: float | None = None,
) -> Tensor:
    """Return clip(gain * act(x + b), -clamp, clamp); each part is optional.

    Args:
        x: any shape and float dtype; the result has the same.
        b: [x.shape[dim]], cast to the dtype of x.
        dim: dimension of x to which b is added.
        act: a key of `ACTIVATIONS`.
        alpha: slope of lrelu below zero; default 0.2.
        gain: factor after the activation; default sqrt(2) for relu, lrelu and swish, else 1.
        clamp: limit of the absolute value after the gain, None for no limit. The gradient is zero beyond it.
    Raises: ConfigError for an unknown activation.
    Source: ProGAN Sec. 4.1 with the activation gain of StyleGAN2 App. B.
    """
    function, default_alpha, default_gain = _find(act)
    alpha = default_alpha if alpha is None else alpha
    gain = default_gain if gain is None else gain
    if b is not None:
        b = b.to(x.dtype).reshape([-1 if i == dim else 1 for i in range(x.ndim)])
    if act == "lrelu" and alpha > 0 and gain > 0:
        return apply(_LeakyReLU, x, b, alpha, gain, clamp)
    x = x + b if b is not None else x
    x = function(x, alpha)
    x = x * gain if gain != 1 else x
    return x.clamp(-clamp, clamp) if clamp is not None else x


def activation_gain(act: str) -> float:
    """Return the default gain of an activation. Raises: ConfigError for an unknown activation."""
    return _find(act)[2]


def _find(act: str) -> tuple[Callable[[Tensor, float], Tensor], float, float]:
    if act not in ACTIVATIONS:
        raise ConfigError(f"activation must be one of {', '.join(ACTIVATIONS)}, got {act!r}.")
    return ACTIVATIONS[act]


@differentiable
class _LeakyReLU(torch.autograd.Function):
    """All of `bias_act` for leaky ReLU. It saves only the output, whose sign gives the slope."""

    @staticmethod
    def forward(x, b, alpha, gain, clamp):
        if b is None and gain == 1:
            y = F.leaky_relu(x, alpha)
        else:
            y = x * gain
            if b is not None:
                y.add_(b * gain)
            F.leaky_relu_(y, alpha)
        if clamp is not None:
            y.clamp_(-clamp, clamp)
        return y

    @staticmethod
    def setup_context(ctx, inputs, output):
        _, b, *ctx.options = inputs
        ctx.b_shape = None if b is None else b.shape
        keep(ctx, output)

    @staticmethod
    def backward(ctx, grad):
        (y,) = ctx.saved_tensors
        grad_x = apply(_Slope, grad, y, *ctx.options)
        grad_b = grad_x.sum_to_size(ctx.b_shape) if ctx.b_shape is not None and ctx.needs_input_grad[1] else None
        return grad_x, grad_b, None, None, None

    @staticmethod
    def tangent(ctx, x, b, *_):
        (y,) = ctx.saved_tensors
        along = total(x, b)
        assert along is not None  # there is no tangent without the tangent of an input
        return apply(_Slope, along.expand_as(y), y, *ctx.options)

    @staticmethod
    def vmap(info, dims, x, b, *options):
        x, b = leading(x, dims[0]), None if b is None else leading(b, dims[1])
        if dims[0] is None:
            x = x.expand(info.batch_size, *x.shape[1:])
        return apply(_LeakyReLU, x, b, *options), 0


@differentiable
class _Slope(torch.autograd.Function):
    """grad * d lrelu / dx, computed from the output y.

    The result is linear in grad and piecewise constant in x, so this function is its own gradient.
    """

    @staticmethod
    def forward(grad, y, alpha, gain, clamp):
        if torch.compiler.is_compiling() and alpha <= 1:
            return _slope_without_masks(grad, y, alpha, gain, clamp)
        result = torch.ops.aten.leaky_relu_backward(grad, y, alpha, True)
        if gain != 1:
            result.mul_(gain)
        if clamp is not None:
            torch.ops.aten.hardtanh_backward.grad_input(result, y, -clamp, clamp, grad_input=result)
        return result

    @staticmethod
    def setup_context(ctx, inputs, output):
        _, y, *ctx.options = inputs
        keep(ctx, y)

    @staticmethod
    def backward(ctx, grad):
        (y,) = ctx.saved_tensors
        return apply(_Slope, grad, y, *ctx.options), None, None, None, None

    @staticmethod
    def tangent(ctx, grad, *_):
        (y,) = ctx.saved_tensors
        return apply(_Slope, grad if grad is not None else torch.zeros_like(y), y, *ctx.options)

    @staticmethod
    def vmap(info, dims, grad, y, *options):
        grad, y = torch.broadcast_tensors(leading(grad, dims[0]), leading(y, dims[1]))
        return apply(_Slope, grad, y, *options), 0


def _slope_without_masks(grad: Tensor, y: Tensor, alpha: float, gain: float, clamp: float | None) -> Tensor:
    """Return what `_Slope` does, without comparisons, for alpha up to 1.

    A compiler would compare in the forward pass, to keep masks of a byte per number instead of y. On a CPU, inductor
    (PyTorch 2.13) takes about 20 times as long to store a mask as to compute y.
    """
    result = grad * y.sign().clamp(min=alpha) * gain
    return result if clamp is None else result * (clamp - y.abs()).sign()
