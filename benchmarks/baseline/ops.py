"""Textbook forms of the operations."""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor

SQRT2 = 2**0.5


def upfirdn2d(x: Tensor, f: Tensor, up: int = 1, down: int = 1, pad=(0, 0, 0, 0), gain: float = 1.0) -> Tensor:
    """Insert zeros, pad, filter by depthwise convolution (one per axis if the filter is 1-D), drop samples."""
    n, c, h, w = x.shape
    if up > 1:
        x = x.reshape(n, c, h, 1, w, 1)
        x = F.pad(x, [0, up - 1, 0, 0, 0, up - 1])
        x = x.reshape(n, c, h * up, w * up)
    x = F.pad(x, list(pad))
    for kernel in [f * gain] if f.ndim == 2 else [f[None, :] * gain**0.5, f[:, None] * gain**0.5]:
        x = F.conv2d(x, kernel.to(x.dtype).flip([0, 1])[None, None].repeat(c, 1, 1, 1), groups=c)
    return x[:, :, ::down, ::down]


def bias_act(x: Tensor, b: Tensor | None, act: str, gain: float = 1.0, clamp: float | None = None) -> Tensor:
    if b is not None:
        x = x + b.to(x.dtype).reshape(1, -1, *[1] * (x.ndim - 2))
    if act == "lrelu":
        x = F.leaky_relu(x, 0.2)
        gain = gain * SQRT2
    if gain != 1:
        x = x * gain
    return x.clamp(-clamp, clamp) if clamp is not None else x


def filtered_lrelu(x: Tensor, layer) -> Tensor:
    """Add the bias, upsample, apply leaky ReLU, downsample."""
    x = x + layer.bias.to(x.dtype).reshape(1, -1, 1, 1)
    x = upfirdn2d(x, layer.up_filter, up=layer.up, pad=layer.padding, gain=layer.up**2)
    x = bias_act(x, None, "lrelu", clamp=layer.conv_clamp)
    return upfirdn2d(x, layer.down_filter, down=layer.down)


def modulated_conv2d(x, weight, styles, noise=None, up=1, f=None, demodulate=True, per_sample=True) -> Tensor:
    """Convolve with one kernel per sample, as a grouped convolution, or scale the activations, as in training."""
    n, k = len(x), weight.shape[-1]
    w = weight[None] * styles.reshape(n, 1, -1, 1, 1)  # [N, O, I, K, K]
    d = (w.square().sum([2, 3, 4]) + 1e-8).rsqrt() if demodulate else None
    if not per_sample:
        x = x * styles.reshape(n, -1, 1, 1)
        x = _conv(x, weight, up, f, groups=1)
        x = x * d.reshape(n, -1, 1, 1) if d is not None else x
        return x + noise if noise is not None else x
    w = w * d.reshape(n, -1, 1, 1, 1) if d is not None else w
    x = x.reshape(1, -1, *x.shape[2:])
    x = _conv(x, w.reshape(-1, *w.shape[2:]), up, f, groups=n)
    x = x.reshape(n, -1, *x.shape[2:])
    assert k in (1, 3)
    return x + noise if noise is not None else x


def _conv(x: Tensor, w: Tensor, up: int, f: Tensor | None, groups: int) -> Tensor:
    """3x3 or 1x1; up = 2 is a transposed convolution, then the filter at twice the resolution."""
    if up == 1:
        return F.conv2d(x, w, padding=w.shape[-1] // 2, groups=groups)
    o, i, k, _ = w.shape
    w = w.reshape(groups, o // groups, i, k, k).transpose(1, 2).reshape(groups * i, o // groups, k, k)
    return upfirdn2d(F.conv_transpose2d(x, w, stride=2, groups=groups), f, pad=(1, 1, 1, 1), gain=4)


def conv2d_layer(x: Tensor, layer, gain: float = 1.0) -> Tensor:
    """Apply a convolution of the discriminator with its downsampling, bias, activation and clamp."""
    w, k = layer.weight * layer.weight_gain, layer.weight.shape[-1]
    if layer.down == 2 and k == 1:
        x = F.conv2d(upfirdn2d(x, layer.resample_filter, down=2, pad=(1, 1, 1, 1)), w)
    elif layer.down == 2:
        x = F.conv2d(upfirdn2d(x, layer.resample_filter, pad=(2, 2, 2, 2)), w, stride=2)
    else:
        x = F.conv2d(x, w, padding=k // 2)
    clamp = layer.conv_clamp * gain if layer.conv_clamp is not None else None
    return bias_act(x, layer.bias, layer.activation, gain, clamp)


def minibatch_std(x: Tensor, group: int) -> Tensor:
    n, c, h, w = x.shape
    group = min(group, n)
    y = x.reshape(group, -1, 1, c, h, w)
    y = y - y.mean(0)
    y = (y.square().mean(0) + 1e-8).sqrt().mean([2, 3, 4])
    y = y.reshape(-1, 1, 1, 1).repeat(group, 1, h, w)
    return torch.cat([x, y], 1)
