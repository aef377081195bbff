"""Low-pass filters of StyleGAN3."""

import math

import pytest
import torch
from golden import RECORDS
from scipy import signal
from torch.testing import assert_close

from stylegan.ops import lowpass, radial_lowpass


def near(actual: torch.Tensor, expected: list) -> None:
    assert_close(actual, torch.tensor(expected), rtol=0, atol=1e-7)


def response(f: torch.Tensor, x: float, y: float, rate: float) -> float:
    """|H| at a frequency in cycles per unit of length."""
    t = (torch.arange(len(f)) - (len(f) - 1) / 2) * (2 * math.pi / rate)
    return float((f * torch.cos(x * t)[None] * torch.cos(y * t)[:, None]).sum())


def test_lowpass_filters_are_the_recorded_ones():
    near(lowpass(12, 2, 12, 32), RECORDS["lowpass_12_c2_w12_fs32"])
    near(lowpass(24, 2 ** (5 / 3), 9.6504, 64)[:12], RECORDS["lowpass_24_c3.1748_w9.6504_fs64_first12"])
    published = [0.02337425, 0.03444929, -0.0508807, -0.07861523, 0.13961044, 0.43206194]
    assert_close(lowpass(12, 128, 2 * 29.5865, 512)[:6], torch.tensor(published), rtol=0, atol=1e-6)


def test_radial_filters_are_the_recorded_ones():
    near(radial_lowpass(12, 2, 12, 32)[:6, :6], RECORDS["radial_12_c2_w12_fs32_rows0-5"])


@pytest.mark.parametrize(("taps", "width"), [(12, 12), (24, 4), (12, 1), (7, 0.2)])
def test_lowpass_filters_are_those_of_scipy(taps, width):
    expected = signal.firwin(taps, cutoff=2, width=width, fs=32)
    assert_close(lowpass(taps, 2, width, 32), torch.as_tensor(expected, dtype=torch.float32), rtol=0, atol=1e-7)


@pytest.mark.parametrize("design", [lowpass, radial_lowpass])
def test_filters_are_symmetric_keep_brightness_and_pass_half_at_the_cutoff(design):
    f = design(24, 4, 4, 64)
    assert f.dtype == torch.float32
    assert torch.equal(f, f.flip(list(range(f.ndim))))
    assert_close(f.sum(), torch.tensor(1.0))
    square = f if f.ndim == 2 else f.outer(f)
    assert response(square, 0, 0, 64) == pytest.approx(1, abs=1e-5)
    assert response(square, 4, 0, 64) == pytest.approx(0.5, abs=0.07)
    assert abs(response(square, 12, 0, 64)) < 0.03


def test_only_a_radial_filter_treats_all_directions_equally():
    diagonal = 5 / math.sqrt(2)
    separable, radial = lowpass(24, 4, 6, 32), radial_lowpass(24, 4, 6, 32)
    square = separable.outer(separable)
    assert abs(response(radial, 5, 0, 32) - response(radial, diagonal, diagonal, 32)) < 5e-3
    assert abs(response(square, 5, 0, 32) - response(square, diagonal, diagonal, 32)) > 5e-2
