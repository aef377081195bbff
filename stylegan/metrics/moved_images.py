"""Images moved and turned as truly as their pixels allow, which is what an equivariant network is held against.

Each function returns the image and a mask [1, 1, H, W] that is 1 where all it was made from is in the original.
"""

from __future__ import annotations

import math

import torch
import torch.nn.functional as F
from torch import Tensor

from stylegan.metrics.band_limit import band_limit_filter
from stylegan.ops.upfirdn2d import filter2d, upsample2d

LANCZOS = 3  # a of the filter of a shift
UP = 4  # an image is enlarged so much before it is turned

Moved = tuple[Tensor, Tensor]


def shift(img: Tensor, x: int, y: int) -> Moved:
    """By whole pixels, to the right and down: [N, C, H, W] -> [N, C, H, W]."""
    return F.pad(img, [x, -x, y, -y]), _inside(img, (x, x), (y, y))


def shift_between_pixels(img: Tensor, x: float, y: float) -> Moved:
    """By any number of pixels, with 6 taps of a Lanczos filter along each axis: [N, C, H, W] -> [N, C, H, W]."""
    whole_x, whole_y = math.floor(x), math.floor(y)
    taps = _lanczos_taps(y - whole_y).outer(_lanczos_taps(x - whole_x)).to(img)
    (low_x, high_x), (low_y, high_y) = reaches = [(n + 1 - LANCZOS, n + LANCZOS) for n in (whole_x, whole_y)]
    around = F.pad(img, [high_x, -low_x, high_y, -low_y]).flatten(0, 1)[:, None]
    return F.conv2d(around, taps.flip([0, 1])[None, None]).reshape(img.shape), _inside(img, *reaches)


def turn(img: Tensor, A: Tensor) -> Moved:
    """By a rotation A [2, 2] about the center, keeping the frequencies that both grids can hold.

    img [N, C, H, H] -> [N, C, H, H]. It is enlarged and filtered, then read bilinearly. StyleGAN3 App. E.
    """
    size, f = img.shape[-1], band_limit_filter(A, UP)
    margin = len(f) // 2  # enlarged pixels around the image that the filter still reaches
    enlarged = upsample2d(img, f.to(img), up=UP, pad=margin)
    # A filter of odd length puts a pixel at the center of an enlarged one, half of one beyond its own center.
    theta = torch.cat([A.double().cpu().inverse(), torch.full([2, 1], 1 / (UP * size), dtype=torch.float64)], 1)
    theta = (theta * (size / (size + 2 * margin / UP))).to(img)
    grid = F.affine_grid(theta[None], [1, 1, size, size], align_corners=False)
    turned = F.grid_sample(enlarged, grid.expand(len(img), -1, -1, -1), align_corners=False)
    mask = F.grid_sample(_border(enlarged, 2 * margin + 1), grid, mode="nearest", align_corners=False)
    return turned, mask


def as_if_turned(img: Tensor, A: Tensor) -> Moved:
    """Remove what a rotation A [2, 2] and back would, without turning: [N, C, H, H] -> [N, C, H, H]."""
    f = band_limit_filter(A, 1)
    return filter2d(img, f.to(img)), _border(img, len(f) // 2)


def _lanczos_taps(fraction: float) -> Tensor:
    """[6]: the weights of the pixels -2, -1, ..., 3 places before, in a shift by 0 <= fraction < 1."""
    distance = torch.arange(1 - LANCZOS, LANCZOS + 1, dtype=torch.float64) - fraction
    taps = torch.sinc(distance) * torch.sinc(distance / LANCZOS)
    return taps / taps.sum()


def _inside(img: Tensor, reach_x: tuple[int, int], reach_y: tuple[int, int]) -> Tensor:
    """1 where the pixels from `low` to `high` places before are pixels of the image."""
    (h, w), (low_x, high_x), (low_y, high_y) = img.shape[2:], reach_x, reach_y
    mask = img.new_zeros([1, 1, h, w])
    mask[:, :, max(high_y, 0) : h + min(low_y, 0), max(high_x, 0) : w + min(low_x, 0)] = 1
    return mask


def _border(img: Tensor, width: int) -> Tensor:
    """1 but for a border."""
    mask = img.new_zeros([1, 1, *img.shape[2:]])
    mask[:, :, width:-width, width:-width] = 1
    return mask
