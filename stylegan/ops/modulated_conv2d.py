"""Modulated convolution: each image is convolved with its own styled kernel."""

from __future__ import annotations

import torch
from torch import Tensor

from stylegan.ops.number_formats import wide
from stylegan.ops.resample_conv2d import resample_conv2d


def modulated_conv2d(
    x: Tensor,
    weight: Tensor,
    s: Tensor,
    *,
    up: int = 1,
    f: Tensor | None = None,
    padding: int | None = None,
    demodulate: bool = True,
    flip_weight: bool = True,
    input_gain: Tensor | None = None,
    eps: float = 1e-8,
) -> Tensor:
    """Convolve each sample with its own styled kernel.

    Args:
        x: [N, I, H, W], any float dtype; the result has the same.
        weight: [O, I, K, K], any float dtype; it is used in float32 or float64.
        s: [N, I] float32 styles.
        up: integer >= 1; upsamples through the filter `f` (see `resample_conv2d`).
        padding: default K // 2, which preserves the size.
        demodulate: scale every output channel to unit expected variance (Eq. 3).
        flip_weight: True correlates, False convolves, as in `resample_conv2d`.
        input_gain: factor on x that demodulation does not undo: a number, [I] or [N, I]. StyleGAN3 App. D.
    Returns: [N, O, H*up, W*up] with the default padding.
    Source: StyleGAN2 Eqs. 1-3.
    """
    weight = wide(weight)
    if x.dtype == torch.float16 and demodulate:
        weight, s = small_weight(weight), small_style(s)
    # Scaling x is the same linear map as scaling the weight (Eq. 1) without an [N, O, I, K, K] tensor.
    scale = s if input_gain is None else s * input_gain
    y = x * scale.to(x.dtype)[:, :, None, None]
    padding = weight.shape[-1] // 2 if padding is None else padding
    y = resample_conv2d(y, weight.to(x.dtype), f, up=up, padding=padding, flip_weight=flip_weight)
    if demodulate:
        d = (s.square() @ weight.square().sum([2, 3]).t() + eps).rsqrt()  # [N, O], Eq. 3
        y = y * d.to(y.dtype)[:, :, None, None]
    return y


# Demodulation cancels any scale of weights and styles, so both are made small first: fp16 overflows at 65504.
def small_weight(weight: Tensor) -> Tensor:
    """Scale weight [O, I, K, K], per output channel, so that no element exceeds 1 / sqrt(I * K * K)."""
    return weight / (weight.abs().amax([1, 2, 3], keepdim=True) * weight[0].numel() ** 0.5)


def small_style(s: Tensor) -> Tensor:
    """Scale s [N, I], per image, so that no element exceeds 1."""
    return s / s.abs().amax(1, keepdim=True).clamp_min(1e-8)
