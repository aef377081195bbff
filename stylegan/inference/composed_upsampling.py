"""Up-sampling by two as one convolution at the low resolution, with a kernel for each of the four phases.

Zero-stuffing, kernel and filter are linear and the same at every pixel, so their response to an impulse defines them:
output 2r + a is a sum of the inputs near r, with weights that depend on the phase a alone.
"""

from __future__ import annotations

from collections.abc import Callable

import torch
import torch.nn.functional as F
from torch import Tensor

from stylegan.ops.resample_conv2d import resample_conv2d
from stylegan.ops.upfirdn2d import upsample2d


def composed_kernel(weight: Tensor, f: Tensor | None) -> Tensor:
    """Return the kernel of all phases of an up-sampling convolution.

    Args:
        weight: [O, I, K, K] float32, for convolution as official checkpoints hold it (see `resample_conv2d`).
        f: [T, T] taps from `setup_filter`; None is the identity.
    Returns: [4 * O, I, R, R], for `composed_upsampling`; R is 3 for K = 3 and T = 4.
    """

    def up(x: Tensor) -> Tensor:
        return resample_conv2d(x, weight, f, up=2, padding=weight.shape[-1] // 2, flip_weight=False)

    kernel = _phases(up, weight.shape[1], weight.shape[-1] + _taps(f) - 1, weight)
    return kernel.flatten(0, 2)


def composed_upsampling(x: Tensor, kernel: Tensor) -> Tensor:
    """x [N, I, H, W] -> [N, O, 2H, 2W] as `resample_conv2d(x, weight, f, up=2, padding=K // 2, flip_weight=False)`."""
    n, _, h, w = x.shape
    y = F.conv2d(x, kernel, padding=kernel.shape[-1] // 2).permute(0, 2, 3, 1)
    y = y.reshape(n, h, w, 2, 2, -1).transpose(2, 3)
    return y.reshape(n, 2 * h, 2 * w, -1).permute(0, 3, 1, 2)


def image_taps(f: Tensor) -> list[list[list[list[float]]]]:
    """Return the weights of `upsample2d` with the filter `f`: [row phase][column phase][row][column]."""
    return _phases(lambda x: upsample2d(x, f), 1, _taps(f), f)[:, :, 0, 0].tolist()


def upsample_image(img: Tensor, taps: list[list[list[list[float]]]]) -> Tensor:
    """Up-sample as `upsample2d`, by sums of shifted images: [N, C, H, W] -> [N, C, 2H, 2W].

    A convolution is inefficient with so few channels; a compiler fuses the sums into one pass.
    """
    n, c, h, w = img.shape
    radius = len(taps[0][0]) // 2
    padded = F.pad(img, [radius] * 4)

    def phase(taps: list[list[float]]) -> Tensor:
        terms = [
            padded[:, :, row : row + h, column : column + w] * tap
            for row, line in enumerate(taps)
            for column, tap in enumerate(line)
            if tap
        ]
        return sum(terms[1:], terms[0])

    rows = [torch.stack([phase(taps[a][b]) for b in range(2)], 4) for a in range(2)]  # [N, C, H, W, 2]
    return torch.stack(rows, 3).reshape(n, c, 2 * h, 2 * w)


def _phases(up: Callable[[Tensor], Tensor], channels: int, taps: int, like: Tensor) -> Tensor:
    """Return the weights [2, 2, O, I, R, R] of a linear map that doubles the resolution, from its impulse response."""
    radius = (taps + 1) // 4  # inputs on either side that can matter to an output
    size = 2 * radius + 1
    impulse = like.new_zeros(channels, channels, size, size)
    impulse[:, :, radius, radius] = torch.eye(channels, dtype=like.dtype, device=like.device)
    response = up(impulse).reshape(channels, -1, size, 2, size, 2)  # [I, O, row, a, column, b]
    return response.flip([2, 4]).permute(3, 5, 1, 0, 2, 4)


def _taps(f: Tensor | None) -> int:
    return 1 if f is None else max(f.shape)
