"""Image-space filtering: amplify four frequency bands at random. StyleGAN2-ADA App. B, transformation 14."""

from __future__ import annotations

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor

from stylegan.augment.matrices import along_both_axes
from stylegan.errors import ShapeError

# Daubechies' orthogonal low-pass filter with two vanishing moments; its sum is sqrt(2).
SYM2 = (-0.12940952255092145, 0.22414386804185735, 0.836516303737469, 0.48296291314469025)
# Power of natural images per band, which falls with 1/f: the lowest band has ten times the power of each other band.
BAND_POWER = (10 / 13, 1 / 13, 1 / 13, 1 / 13)
BANDS = len(BAND_POWER)
SMALLEST_SIDE = 22  # pixels: half of the taps extend beyond the edge, where the image is reflected


def filter_bank() -> Tensor:
    """Return symmetric zero-phase taps that split a signal into four bands, lowest first: float32 [4, 43].

    The bands are [0, pi/8], [pi/8, pi/4], [pi/4, pi/2], [pi/2, pi] radians per pixel; they sum to the unit impulse.
    """
    low = np.array(SYM2)
    high = low * (-1) ** np.arange(len(low))
    low2, high2 = np.convolve(low, low[::-1]) / 2, np.convolve(high, high[::-1]) / 2
    bank = np.eye(BANDS, 1)
    for i in range(1, BANDS):
        spread = np.zeros([BANDS, 2 * bank.shape[1] - 1])
        spread[:, ::2] = bank  # at half the sampling rate, all bands so far are an octave lower
        bank = np.stack([np.convolve(row, low2) for row in spread])
        margin = (bank.shape[1] - len(high2)) // 2
        bank[i, margin : margin + len(high2)] += high2
    return torch.from_numpy(bank).float()


def normalized(t: Tensor) -> Tensor:
    """Scale gains t [N, 4] so that they preserve the power of a natural image."""
    power = torch.stack([e * t[:, i].square() for i, e in enumerate(BAND_POWER)]).sum(0)
    return t / power.sqrt()[:, None]


def filter_bands(images: Tensor, g: Tensor, bank: Tensor) -> Tensor:
    """Multiply the bands of every image, on both axes, by its own four gains; borders are reflected.

    Args:
        images: [N, C, H, W], H and W at least `SMALLEST_SIDE`.
        g: [N, 4] gains.
        bank: [4, taps] from `filter_bank`.
    Returns: [N, C, H, W]
    Raises: ShapeError for smaller images.
    """
    h, w = images.shape[2:]
    if min(h, w) < SMALLEST_SIDE:
        raise ShapeError(
            f"image-space filtering takes images of at least {SMALLEST_SIDE}x{SMALLEST_SIDE} pixels, got {h}x{w}; "
            f"use a pipe without it, such as bgc."
        )
    columns = torch.einsum("nj,jik->nik", g, _band_matrices(w, bank))[:, None]
    rows = torch.einsum("nj,jik->nik", g, _band_matrices(h, bank))[:, None]
    return along_both_axes(images, columns, rows)


def _band_matrices(size: int, bank: Tensor) -> Tensor:
    """Return the matrices that reflect a row of pixels at its ends and filter it with a band: [4, size, size]."""
    pixels = torch.eye(size, device=bank.device)[:, None]  # row i has one nonzero pixel
    responses = F.conv1d(F.pad(pixels, [bank.shape[1] // 2] * 2, mode="reflect"), bank[:, None])
    return responses.permute(1, 2, 0)
