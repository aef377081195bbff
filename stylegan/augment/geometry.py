"""Geometric transformations, all applied in one resampling. StyleGAN2-ADA App. B, transformations 1-8.

G_inv [N, 3, 3] maps a pixel of the result to its position in the source, both relative to the image center.
"""

from __future__ import annotations

import math

import torch
import torch.nn.functional as F
from torch import Tensor

from stylegan.augment.matrices import along_both_axes, matrix, scaling, translation
from stylegan.augment.sample import sample_bilinear
from stylegan.ops.upfirdn2d import downsample2d, setup_filter, upsample2d

# Orthogonal low-pass filter with six vanishing moments (symlet): upsampling, then downsampling restores the image.
SYM6 = (
    0.015404109327027373, 0.0034907120842174702, -0.11799011114819057, -0.048311742585633,
    0.4910559419267466, 0.787641141030194, 0.3379294217276218, -0.07263752278646252,
    -0.021060292512300564, 0.04472490177066578, 0.0017677118642428036, -0.007800708325034148,
)  # fmt: skip
# Up to this many pixels per side, dense matrices resample faster than filters: on a CPU about twice as fast without
# gradients and four times with gradients. Their cost grows with the third power of the side.
DENSE_PIXELS = 128

Margin = tuple[int, int, int, int]  # left, right, top, bottom


def wavelet() -> Tensor:
    """Return the 12 taps of sym6, separable, with DC gain 1."""
    return setup_filter(SYM6, separable=True)


def warp(images: Tensor, G_inv: Tensor, f: Tensor) -> Tensor:
    """Apply an affine map to every image, nearly free of aliasing: upsample 2x, sample, downsample 2x.

    Borders are reflected, up to the size of the image. If all maps are the identity, the images are returned unchanged.
    This check and the margin are the only two points at which the pipe waits for the device.

    Args:
        images: [N, C, H, W] with H, W >= 2.
        G_inv: [N, 3, 3] float32; see the top of this file.
        f: taps from `wavelet`.
    Returns: [N, C, H, W]
    """
    if bool((G_inv == torch.eye(3, device=G_inv.device)).all()):
        return images
    h, w = images.shape[2:]
    border = len(f) // 4  # pixels around the result that the downsampling filter needs
    left, right, top, bottom = margin = _margin(G_inv, h, w, border)
    enlarged = _enlarge(images, f, margin)
    out_h, out_w = (h + 2 * border) * 2, (w + 2 * border) * 2

    device = images.device
    G_inv = translation((left - right) / 2, (top - bottom) / 2, device) @ G_inv  # the center moves with the margin
    G_inv = scaling(2, 2, device) @ G_inv @ scaling(0.5, 0.5, device)
    # pixel centers of the upsampled grid are half a pixel away from those of the wavelet
    G_inv = translation(-0.5, -0.5, device) @ G_inv @ translation(0.5, 0.5, device)
    to_pixels = scaling(out_w / 2, out_h / 2, device)  # grid coordinates run from -1 to 1
    to_grid = scaling(2 / enlarged.shape[3], 2 / enlarged.shape[2], device)
    theta = (to_grid @ G_inv @ to_pixels)[:, :2].to(images.dtype)
    grid = F.affine_grid(theta, [len(images), 1, out_h, out_w], align_corners=False)
    return _shrink(sample_bilinear(enlarged, grid), f, border)


def _margin(G_inv: Tensor, h: int, w: int, border: int) -> Margin:
    """Return the pixels to add on each side so that no sample of the batch falls outside; at most size - 1."""
    cx, cy = (w - 1) / 2, (h - 1) / 2
    corners = matrix([[-cx, cx, cx, -cx], [-cy, -cy, cy, cy], [1, 1, 1, 1]], G_inv.device)
    x, y, _ = (G_inv @ corners).unbind(1)  # each [N, 4]
    reach = torch.stack([-x.amin(), x.amax(), -y.amin(), y.amax()]).tolist()
    left, right = (min(max(math.ceil(r - cx + 2 * border), 0), w - 1) for r in reach[:2])
    top, bottom = (min(max(math.ceil(r - cy + 2 * border), 0), h - 1) for r in reach[2:])
    return left, right, top, bottom


def _enlarge(images: Tensor, f: Tensor, margin: Margin) -> Tensor:
    """Reflect by `margin`, then upsample 2x: [N, C, H, W] -> [N, C, 2 (top + H + bottom), 2 (left + W + right)]."""
    if max(images.shape[2:]) > DENSE_PIXELS:
        images = images.contiguous(memory_format=torch.channels_last)  # the layout in which filtering is fast
        return upsample2d(F.pad(images, margin, mode="reflect"), f)

    def widen(x: Tensor, before: int, after: int) -> Tensor:
        return upsample2d(F.pad(x, [before, after, 0, 0], mode="reflect"), f[None], up=(2, 1))

    h, w = images.shape[2:]
    columns, rows = widen(_unit_rows(w, f), *margin[:2]), widen(_unit_rows(h, f), *margin[2:])
    return along_both_axes(images, columns[0, 0].mT, rows[0, 0].mT)


def _shrink(images: Tensor, f: Tensor, border: int) -> Tensor:
    """Invert `_enlarge`: downsample 2x with the reversed wavelet, and drop `border` pixels of the result per side."""
    if max(images.shape[2:]) // 2 - 2 * border > DENSE_PIXELS:
        return downsample2d(images, f, pad=-2 * border, flip_filter=True)

    def narrow(x: Tensor) -> Tensor:
        return downsample2d(x, f[None], down=(2, 1), pad=(-2 * border, 0), flip_filter=True)

    h, w = images.shape[2:]
    columns, rows = narrow(_unit_rows(w, f)), narrow(_unit_rows(h, f))
    return along_both_axes(images, columns[0, 0].mT, rows[0, 0].mT)


def _unit_rows(size: int, like: Tensor) -> Tensor:
    """Return the identity as an image, [1, 1, size, size]: a linear map turns its row i into column i of its matrix."""
    return torch.eye(size, dtype=like.dtype, device=like.device)[None, None]
