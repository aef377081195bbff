"""The convolution of a synthesis layer, prepared for inference in the form that is fastest for its shape."""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from stylegan.inference.composed_upsampling import composed_kernel, composed_upsampling
from stylegan.inference.winograd import compiled_winograd_conv2d, winograd_conv2d, winograd_weight
from stylegan.ops import upfirdn2d
from stylegan.ops.upfirdn2d import up_padding

_PHASES = ((0, 0), (0, 1), (1, 0), (1, 1))  # rows, columns


def prepare(weight: Tensor, dtype: torch.dtype, f: Tensor | None, resolution: int, compile: bool) -> nn.Module:
    """Prepare a convolution: x [N, I, H, W] of `dtype` -> [N, O, H, W], or with a filter `f` [N, O, 2H, 2W].

    Args:
        weight: [O, I, 3, 3] float32, as checkpoints hold it: for convolution with `f`, else for correlation.
        f: the filter that enlarges; None keeps the size.
        resolution: pixels per side of the result.
        compile: whether the convolution will be a part of a compiled function.
    """
    if f is None and _winograd_is_faster(weight, dtype, resolution, compile):
        return _CompiledWinograd(weight) if compile else _Winograd(weight, dtype)
    if f is None:
        return _Plain(weight, dtype)
    if weight.device.type == "cpu" and dtype == torch.bfloat16:
        # Four times the products, where they are cheap, against two passes over the enlarged image. Measured.
        if weight.shape[1] <= 256:
            return _ComposedUpsampling(weight, dtype, f)
        return _PhaseUpsampling(weight, dtype, f)
    return _Upsampling(weight, dtype, f)


def _winograd_is_faster(weight: Tensor, dtype: torch.dtype, resolution: int, compile: bool) -> bool:
    """Return whether a quarter of the products saves time: a convolution with many channels and pixels.

    Measured on a CPU in float32. The maps before and after the products cost more where they are not compiled.
    """
    out_channels, in_channels = weight.shape[:2]
    fewest_channels, fewest_products = (64, 2**24) if compile else (256, 2**26)
    return (
        weight.device.type == "cpu"
        and dtype == torch.float32
        and min(out_channels, in_channels) >= fewest_channels
        and out_channels * in_channels * resolution**2 >= fewest_products
    )


class _Plain(nn.Module):
    def __init__(self, weight: Tensor, dtype: torch.dtype):
        super().__init__()
        self.weight = nn.Buffer(weight.to(dtype).contiguous(memory_format=torch.channels_last))

    def forward(self, x: Tensor) -> Tensor:
        return F.conv2d(x, self.weight, padding=1)


class _CompiledWinograd(nn.Module):
    def __init__(self, weight: Tensor):
        super().__init__()
        self.factors = nn.Buffer(winograd_weight(weight))

    def forward(self, x: Tensor) -> Tensor:
        return compiled_winograd_conv2d(x, self.factors)


class _Winograd(_Plain):
    """Winograd's form, prepared when it is first used; the plain one for export, because engines have their own."""

    factors: Tensor | None

    def __init__(self, weight: Tensor, dtype: torch.dtype):
        super().__init__(weight, dtype)
        self.register_buffer("factors", None)

    def forward(self, x: Tensor) -> Tensor:
        if torch.compiler.is_exporting():
            return super().forward(x)
        if self.factors is None:
            self.factors = winograd_weight(self.weight)
        return winograd_conv2d(x, self.factors)


class _Upsampling(nn.Module):
    """The transposed convolution, then the filter, as `resample_conv2d` does."""

    def __init__(self, weight: Tensor, dtype: torch.dtype, f: Tensor):
        super().__init__()
        self.weight = nn.Buffer(weight.transpose(0, 1).to(dtype).contiguous(memory_format=torch.channels_last))
        self.f = nn.Buffer(f.clone())

    def forward(self, x: Tensor) -> Tensor:
        return _filtered(F.conv_transpose2d(x, self.weight, stride=2), self.f)


class _PhaseUpsampling(nn.Module):
    """The transposed convolution as one convolution per phase: oneDNN's own is slow in bfloat16."""

    def __init__(self, weight: Tensor, dtype: torch.dtype, f: Tensor):
        super().__init__()
        self.out_channels = len(weight)
        weight = weight.to(dtype).flip([2, 3])  # even rows meet the first and last taps, odd ones the middle
        for a, b in _PHASES:
            part = weight[:, :, a::2, b::2].contiguous(memory_format=torch.channels_last)
            self.register_buffer(f"weight{a}{b}", part)
        self.f = nn.Buffer(f.clone())

    def forward(self, x: Tensor) -> Tensor:
        n, _, h, w = x.shape
        y = x.new_empty([n, 2 * h + 1, 2 * w + 1, self.out_channels]).permute(0, 3, 1, 2)
        for a, b in _PHASES:
            y[:, :, a::2, b::2] = F.conv2d(x, getattr(self, f"weight{a}{b}"), padding=(1 - a, 1 - b))
        return _filtered(y, self.f)


class _ComposedUpsampling(_Plain):
    def __init__(self, weight: Tensor, dtype: torch.dtype, f: Tensor):
        super().__init__(composed_kernel(weight, f), dtype)

    def forward(self, x: Tensor) -> Tensor:
        return composed_upsampling(x, self.weight)


def _filtered(x: Tensor, f: Tensor) -> Tensor:
    """Apply the filter behind a transposed 3x3 convolution, [N, O, 2H + 1, 2W + 1] -> [N, O, 2H, 2W]."""
    left, right, top, bottom = up_padding(f, 2, 1)
    return upfirdn2d(x, f, pad=(left - 2, right - 1, top - 2, bottom - 1), gain=4)
