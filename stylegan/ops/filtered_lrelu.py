"""Leaky ReLU without aliasing, applied at a higher sampling rate between two low-pass filters."""

from __future__ import annotations

import math
from collections.abc import Sequence

from torch import Tensor

from stylegan.ops.bias_act import bias_act
from stylegan.ops.upfirdn2d import upfirdn2d


def filtered_lrelu(
    x: Tensor,
    up_filter: Tensor | None = None,
    down_filter: Tensor | None = None,
    b: Tensor | None = None,
    *,
    up: int = 1,
    down: int = 1,
    pad: int | Sequence[int] = 0,
    gain: float = math.sqrt(2),
    slope: float = 0.2,
    clamp: float | None = None,
    flip_filter: bool = False,
) -> Tensor:
    """Add the bias, upsample, apply leaky ReLU, downsample.

    Args:
        x: [N, C, H, W], any float dtype; the result has the same.
        up_filter: float32 taps, [Tu] if separable, else [Tu, Tu]; None is the identity.
        down_filter: float32 taps, [Td] or [Td, Td]; None is the identity.
        b: [C] bias.
        up, down: integer factors of upsampling and downsampling.
        pad: number, (x, y) or (left, right, top, bottom), in pixels of the up-sampled grid; negative crops.
        gain, slope: factor on the result, and slope of the leaky ReLU below zero.
        clamp: limit of the absolute value at the high rate; the filtered result may exceed it slightly.
        flip_filter: False convolves with the filters, True correlates.
    Returns: [N, C, (H*up + top + bottom - Tu - Td + 1) // down + 1, (W*up + left + right - Tu - Td + 1) // down + 1]
    Raises: ShapeError if a filter is larger than the padded image.
    Source: StyleGAN3 Sec. 3.2 and Fig. 4(b).
    """
    x = bias_act(x, b)
    # gain * lrelu(x) = lrelu(gain * x) for a gain above zero; multiplying the taps saves a pass over the large image
    before, behind = (gain, 1.0) if gain > 0 else (1.0, gain)
    x = upfirdn2d(x, up_filter, up=up, pad=pad, flip_filter=flip_filter, gain=up**2 * before)
    x = bias_act(x, act="lrelu", alpha=slope, gain=behind, clamp=clamp)
    return upfirdn2d(x, down_filter, down=down, flip_filter=flip_filter)
