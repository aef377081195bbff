"""The low-pass filter of a rotated image: it keeps the frequencies that both pixel grids can hold."""

from __future__ import annotations

import torch
from torch import Tensor

WINDOW = 3  # a of the Lanczos windows, in pixels
REACH = 6  # pixels from the center to the last tap: two windows
EXTENT = 64  # pixels from the center up to which the ideal filters are sampled before they are windowed


def band_limit_filter(A: Tensor, up: int) -> Tensor:
    """Design the ideal low-pass of the pixel grid, convolved with that of the grid transformed by `A`.

    Each is a product of two sincs, windowed after Lanczos. StyleGAN3 App. E.

    Args:
        A: [2, 2], maps a step on the image to the same step on the rotated one.
        up: taps per pixel; each of the up x up polyphase components sums to 1 / up**2.
    Returns: [T, T] float64 taps, T = 12 * up - 1, with the center in the middle.
    """
    steps = 2 * EXTENT * up - 1
    axis = torch.fft.fftfreq(steps, 1 / steps, dtype=torch.float64) / up  # 0, 1/up, ..., -1/up: the order of the FFT
    y, x = torch.meshgrid(axis, axis, indexing="ij")
    turned_x, turned_y = A.double().cpu() @ torch.stack([x.flatten(), y.flatten()])
    grids = [(x, y), (turned_x.reshape(x.shape), turned_y.reshape(x.shape))]

    ideal = _convolve(*(torch.sinc(x) * torch.sinc(y) for x, y in grids))
    window = _convolve(*(_lanczos(x) * _lanczos(y) for x, y in grids))
    reach = REACH * up - 1
    middle = slice(steps // 2 - reach, steps // 2 + reach + 1)
    f = torch.fft.fftshift(ideal * window)[middle, middle]
    # One more row and column complete the last period, in which entry (i, j) belongs to component (i % up, j % up).
    periods = torch.nn.functional.pad(f, [0, 1, 0, 1]).reshape(2 * REACH, up, 2 * REACH, up)
    periods = periods / (periods.sum([0, 2], keepdim=True) * up**2)
    return periods.reshape(2 * REACH * up, 2 * REACH * up)[:-1, :-1]


def _lanczos(x: Tensor) -> Tensor:
    """The window of Lanczos at the distances x."""
    return torch.where(x.abs() < WINDOW, torch.sinc(x / WINDOW), 0)


def _convolve(a: Tensor, b: Tensor) -> Tensor:
    """Convolve circularly."""
    return torch.fft.irfft2(torch.fft.rfft2(a) * torch.fft.rfft2(b), s=a.shape)
