"""Convolution with FIR resampling before or after it."""

from __future__ import annotations

from collections.abc import Sequence

import torch.nn.functional as F
from torch import Tensor

from stylegan.ops.conv2d import conv2d, conv_transpose2d
from stylegan.ops.upfirdn2d import down_padding, sides, up_padding, upfirdn2d


def resample_conv2d(
    x: Tensor,
    weight: Tensor,
    f: Tensor | None = None,
    *,
    up: int = 1,
    down: int = 1,
    padding: int | Sequence[int] = 0,
    flip_weight: bool = True,
) -> Tensor:
    """Upsample, convolve, downsample; each change of resolution uses the filter `f`.

    Args:
        x: [N, I, H, W], any float dtype; the result has the same.
        weight: [O, I, K, K] of the same dtype.
        f: [Kh, Kw] float32 taps from `setup_filter`; None is the identity.
        up, down: integers >= 1.
        padding: zeros around the input, in pixels of the upsampled grid; K // 2 preserves the size.
        flip_weight: True correlates as `conv2d` does, False convolves. Official checkpoints store the weights of
            upsampling layers for convolution and all others for correlation.
    Returns: [N, O, H*up/down, W*up/down] if padding is K // 2.
    Source: StyleGAN2 App. B; equal to zero-stuffing, padding, filtering, a "valid" convolution and decimation.
    """
    k = weight.shape[-1]
    pad = sides(padding)
    if up > 1:
        pad = up_padding(f, up, pad)
    if down > 1:
        pad = down_padding(f, down, pad)
    correlation = weight if flip_weight else weight.flip([2, 3])

    if k == 1 and up == 1 and down > 1:  # the filter commutes with a 1x1 convolution, so convolve the smaller image
        return conv2d(upfirdn2d(x, f, down=down, pad=pad), correlation)
    if k == 1 and up > 1 and down == 1:
        return upfirdn2d(conv2d(x, correlation), f, up=up, pad=pad, gain=up**2)
    if up == 1 and down > 1:
        return conv2d(upfirdn2d(x, f, pad=pad), correlation, stride=down)
    if up > 1:
        # A transposed convolution is a true convolution of the zero-stuffed image, so the filter can follow it.
        # Padding that the filter does not need is cropped by the transposed convolution, which costs nothing.
        left, right, top, bottom = pad[0] - (k - 1), pad[1] - (k - up), pad[2] - (k - 1), pad[3] - (k - up)
        crop_x, crop_y = max(min(-left, -right), 0), max(min(-top, -bottom), 0)
        convolution = (weight.flip([2, 3]) if flip_weight else weight).transpose(0, 1)
        x = conv_transpose2d(x, convolution, stride=up, padding=(crop_y, crop_x))
        x = upfirdn2d(x, f, pad=(left + crop_x, right + crop_x, top + crop_y, bottom + crop_y), gain=up**2)
        return upfirdn2d(x, f, down=down) if down > 1 else x
    if pad[0] == pad[1] and pad[2] == pad[3] and pad[0] >= 0 and pad[2] >= 0:
        return conv2d(x, correlation, padding=(pad[2], pad[0]))
    return conv2d(F.pad(x, list(pad)), correlation)
