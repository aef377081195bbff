"""Design of low-pass filters: windowed ideal responses, computed in float64 and returned in float32."""

from __future__ import annotations

import math

import numpy as np
import torch
from torch import Tensor


def lowpass(taps: int, cutoff: float, width: float, rate: float) -> Tensor:
    """Design a separable low-pass filter: the ideal sinc with a Kaiser window.

    Args:
        taps: length of the filter.
        cutoff: frequency of half amplitude, in cycles per unit of length.
        width: transition from the end of the pass band to the start of the stop band, in the same unit.
        rate: samples per unit of length.
    Returns: float32 [taps] with sum 1, for either axis.
    Source: Kaiser 1974; StyleGAN3 App. C. Equal to `scipy.signal.firwin` with `width`.
    """
    t = np.arange(taps) - (taps - 1) / 2
    f = np.sinc(2 * cutoff / rate * t) * kaiser_window(taps, width, rate)
    return torch.as_tensor(f / f.sum(), dtype=torch.float32)


def radial_lowpass(taps: int, cutoff: float, width: float, rate: float) -> Tensor:
    """Design a low-pass filter whose response depends only on |frequency|: the ideal jinc with two Kaiser windows.

    The arguments are those of `lowpass`; `taps` must be even.
    Returns: float32 [taps, taps] with sum 1.
    Source: StyleGAN3 App. C.
    """
    t = (np.arange(taps) - (taps - 1) / 2) / rate
    r = np.hypot(t[:, None], t[None, :])  # never zero: an even filter has no tap at its center
    jinc = torch.special.bessel_j1(torch.from_numpy(2 * math.pi * cutoff * r)).numpy() / r
    window = kaiser_window(taps, width, rate)
    f = jinc * np.outer(window, window)
    return torch.as_tensor(f / f.sum(), dtype=torch.float32)


def kaiser_window(taps: int, width: float, rate: float) -> np.ndarray:
    """Return the Kaiser window, float64 [taps], with the best attenuation for this length and transition width."""
    attenuation = 2.285 * (taps - 1) * math.pi * width / (rate / 2) + 7.95  # dB
    if attenuation > 50:
        beta = 0.1102 * (attenuation - 8.7)
    elif attenuation > 21:
        beta = 0.5842 * (attenuation - 21) ** 0.4 + 0.07886 * (attenuation - 21)
    else:
        beta = 0.0
    return np.kaiser(taps, beta)
