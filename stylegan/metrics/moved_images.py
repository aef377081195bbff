"""Images shifted and rotated as accurately as their pixels allow: the reference for an equivariant network.

Each function returns the image and a mask [1, 1, H, W], which is 1 where all pixels it depends on are in the original.
"""

from __future__ import annotations

import math

import torch
import torch.nn.functional as F
from torch import Tensor

from stylegan.metrics.band_limit import band_limit_filter
from stylegan.ops.upfirdn2d import filter2d, upsample2d

LANCZOS = 3  # a of the filter of a shift
UP = 4  # factor by which an image is enlarged before it is rotated

Moved = tuple[Tensor, Tensor]


def shift(img: Tensor, x: int, y: int) -> Moved:
    """Shift by whole pixels, to the right and down: [N, C, H, W] -> [N, C, H, W]."""
    return F.pad(img, [x, -x, y, -y]), _inside(img, (x, x), (y, y))


def shift_between_pixels(img: Tensor, x: float, y: float) -> Moved:
    """Shift by any number of pixels, with 6 taps of a Lanczos filter along each axis: [N, C, H, W] -> [N, C, H, W]."""
    whole_x, whole_y = math.floor(x), math.floor(y)
    taps = _lanczos_taps(y - whole_y).outer(_lanczos_taps(x - whole_x)).to(img)
    (low_x, high_x), (low_y, high_y) = reaches = [(n + 1 - LANCZOS, n + LANCZOS) for n in (whole_x, whole_y)]
    around = F.pad(img, [high_x, -low_x, high_y, -low_y]).flatten(0, 1)[:, None]
    return F.conv2d(around, taps.flip([0, 1])[None, None]).reshape(img.shape), _inside(img, *reaches)


def rotate(img: Tensor, A: Tensor) -> Moved:
    """Rotate by A [2, 2] about the center, keeping the frequencies that both pixel grids can hold.

    img [N, C, H, H] -> [N, C, H, H], enlarged and filtered, then sampled bilinearly. StyleGAN3 App. E.
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


def filter_as_rotated(img: Tensor, A: Tensor) -> Moved:
    """Remove the frequencies that `rotate` by A [2, 2] removes, without rotating: [N, C, H, H] -> [N, C, H, H]."""
    f = band_limit_filter(A, 1)
    return filter2d(img, f.to(img)), _border(img, len(f) // 2)


def _lanczos_taps(fraction: float) -> Tensor:
    """Weights [6] of the pixels -2, -1, ..., 3 places before, in a shift by 0 <= fraction < 1."""
    distance = torch.arange(1 - LANCZOS, LANCZOS + 1, dtype=torch.float64) - fraction
    taps = torch.sinc(distance) * torch.sinc(distance / LANCZOS)
    return taps / taps.sum()


def _inside(img: Tensor, reach_x: tuple[int, int], reach_y: tuple[int, int]) -> Tensor:
    """A mask of 1 where all pixels from `low` to `high` places before are in the image; each reach is (low, high)."""
    (h, w), (low_x, high_x), (low_y, high_y) = img.shape[2:], reach_x, reach_y
    mask = img.new_zeros([1, 1, h, w])
    mask[:, :, max(high_y, 0) : h + min(low_y, 0), max(high_x, 0) : w + min(low_x, 0)] = 1
    return mask


def _border(img: Tensor, width: int) -> Tensor:
    """A mask of 1 with a border of 0."""
    mask = img.new_zeros([1, 1, *img.shape[2:]])
    mask[:, :, width:-width, width:-width] = 1
    return mask
