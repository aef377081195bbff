"""Layers that the generations share, with equalized learning rate.

Weights are drawn from N(0, 1) and scaled at run time, so that Adam's steps have the same relative size in every
layer. ProGAN Sec. 4.1.
"""

from __future__ import annotations

import copy
import math
from collections.abc import Sequence
from typing import TypeVar

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from stylegan.ops import bias_act, minibatch_std, resample_conv2d, setup_filter
from stylegan.ops.bias_act import activation_gain
from stylegan.ops.number_formats import wide

Layer = TypeVar("Layer", bound=nn.Module)
SQRT_HALF = math.sqrt(0.5)  # keeps the variance of a sum of two branches at one


def tensor_shapes(module: nn.Module) -> str:
    """Describe the parameters and buffers of a module without those of its children: "weight=[8, 4], bias=[8]".

    A module that has it as its `extra_repr` shows its sizes when it is printed.
    """
    tensors = [*module.named_parameters(recurse=False), *module.named_buffers(recurse=False)]
    return ", ".join(f"{name}={list(tensor.shape)}" for name, tensor in tensors)


def frozen(module: Layer) -> Layer:
    """Return a copy without gradients whose linear layers are scaled once rather than at every call."""
    module = copy.deepcopy(module).requires_grad_(False)
    for part in module.modules():
        if isinstance(part, EqualizedLinear):
            part.scaled_weight, part.scaled_bias = part.scaled()
    return module


class EqualizedLinear(nn.Module):
    """act(x @ W.t() + b) with W scaled by lr_multiplier / sqrt(in_features).

    x [N, in_features] -> [N, out_features], in the dtype of x. A `lr_multiplier` below one slows learning. The gain of
    the activation is applied behind it (StyleGAN2) or, with `gain_in_weight`, to the weight (ProGAN and StyleGAN1).
    """

    scaled_weight: Tensor | None  # those of a `frozen` layer
    scaled_bias: Tensor | None
    extra_repr = tensor_shapes

    def __init__(
        self,
        in_features: int,
        out_features: int,
        *,
        activation: str = "linear",
        lr_multiplier: float = 1.0,
        bias_init: float = 0.0,
        gain_in_weight: bool = False,
    ):
        super().__init__()
        self.activation = activation
        # In place, because `/` on the meta device, where checkpoints build networks, imports PyTorch's compiler.
        self.weight = nn.Parameter(torch.randn(out_features, in_features).div_(lr_multiplier))
        self.bias = nn.Parameter(torch.full([out_features], float(bias_init)))
        weight_gain, self.act_gain = _split_gain(activation, gain_in_weight)
        self.weight_gain = weight_gain * lr_multiplier / math.sqrt(in_features)
        self.bias_gain = lr_multiplier
        self.register_buffer("scaled_weight", None, persistent=False)
        self.register_buffer("scaled_bias", None, persistent=False)

    def forward(self, x: Tensor) -> Tensor:
        weight, bias = self.scaled()
        return bias_act(F.linear(x, weight.to(x.dtype), bias.to(x.dtype)), act=self.activation, gain=self.act_gain)

    def scaled(self) -> tuple[Tensor, Tensor]:
        """Return the weight and the bias as they are applied, float32 or float64."""
        if self.scaled_weight is not None and self.scaled_bias is not None:
            return wide(self.scaled_weight), wide(self.scaled_bias)
        return wide(self.weight) * self.weight_gain, wide(self.bias) * self.bias_gain


class EqualizedConv2d(nn.Module):
    """act(conv(x, W) + b) with W scaled by 1 / sqrt(fan in), optionally resampling.

    x [N, I, H, W] -> [N, O, H*up/down, W*up/down], in the dtype of x. A layer that is not `trainable` keeps its
    weights as buffers (Freeze-D) under the same names. `gain_in_weight` as in `EqualizedLinear`.
    """

    resample_filter: Tensor

    extra_repr = tensor_shapes

    def __init__(
        self,
        in_channels: int,
        out_channels: int,
        kernel: int,
        *,
        bias: bool = True,
        activation: str = "linear",
        up: int = 1,
        down: int = 1,
        resample_filter: Sequence[float] = (1, 3, 3, 1),
        conv_clamp: float | None = None,
        trainable: bool = True,
        gain_in_weight: bool = False,
    ):
        super().__init__()
        self.activation = activation
        self.up, self.down = up, down
        self.conv_clamp = conv_clamp
        weight_gain, self.act_gain = _split_gain(activation, gain_in_weight)
        self.weight_gain = weight_gain / math.sqrt(in_channels * kernel**2)
        weight = torch.randn(out_channels, in_channels, kernel, kernel)
        bias_ = torch.zeros(out_channels) if bias else None
        self.weight: Tensor
        self.bias: Tensor | None
        if trainable:
            self.weight = nn.Parameter(weight)
            self.bias = nn.Parameter(bias_) if bias_ is not None else None
        else:
            self.register_buffer("weight", weight)
            self.register_buffer("bias", bias_)
        self.register_buffer("resample_filter", setup_filter(resample_filter))

    def forward(self, x: Tensor, gain: float = 1.0) -> Tensor:
        """`gain` scales the output and the clamp with it: sqrt(1/2) in residual branches."""
        x = resample_conv2d(
            x,
            (wide(self.weight) * self.weight_gain).to(x.dtype),
            self.resample_filter,
            up=self.up,
            down=self.down,
            padding=self.weight.shape[-1] // 2,
            flip_weight=self.up == 1,
        )
        clamp = self.conv_clamp * gain if self.conv_clamp is not None else None
        return bias_act(x, self.bias, act=self.activation, gain=self.act_gain * gain, clamp=clamp)


class MinibatchStd(nn.Module):
    """Append the minibatch standard deviation as channels, see `ops.minibatch_std`.

    With a `group_size` of 1 an image is its own group, and every image gets the same constant.
    """

    def __init__(self, group_size: int | None, num_channels: int = 1):
        super().__init__()
        self.group_size, self.num_channels = group_size, num_channels

    def extra_repr(self) -> str:
        return f"group_size={self.group_size}, num_channels={self.num_channels}"

    def forward(self, x: Tensor) -> Tensor:
        return minibatch_std(x, self.group_size, self.num_channels)


def _split_gain(activation: str, gain_in_weight: bool) -> tuple[float, float]:
    """Return the gain of an activation as two factors: on the weight and behind the activation."""
    gain = activation_gain(activation)
    return (gain, 1.0) if gain_in_weight else (1.0, gain)
