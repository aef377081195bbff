"""Leaky ReLU between two filters, StyleGAN3 Fig. 4(b)."""

import pytest
import reference
import torch
from derivatives import assert_differentiable_twice, assert_twins, channels_last, is_channels_last
from torch.testing import assert_close

from stylegan.errors import ShapeError
from stylegan.ops import filtered_lrelu, lowpass, radial_lowpass

UP2, UP4 = lowpass(12, 4, 8, 32), lowpass(24, 4, 8, 64)
DOWN, RADIAL = lowpass(12, 5, 6, 32), radial_lowpass(12, 5, 6, 32)
ODD, SQUARE = torch.tensor([1.0, -2, 4, 0.5, 3]), torch.randn(4, 6, generator=torch.Generator().manual_seed(0))


def inputs(n=2, c=3, size=(13, 12), dtype=torch.float64):
    return torch.randn(n, c, *size, dtype=dtype), torch.randn(c, dtype=dtype)


@pytest.mark.parametrize("flip", [False, True])
@pytest.mark.parametrize(
    ("fu", "fd", "up", "down", "pad"),
    [
        (UP2, DOWN, 2, 2, (9, 8, 9, 8)),
        (UP4, DOWN, 4, 2, (-2, -5, -2, -5)),
        (UP2, RADIAL, 2, 2, (11, 10, 11, 10)),
        (ODD, SQUARE, 3, 1, (3, -1, 2, 4)),
        (SQUARE, ODD, 2, 3, 5),
        (None, ODD, 1, 2, 1),
        (None, None, 1, 1, 0),
    ],
)
def test_fast_and_slow_agree_to_second_derivatives(fu, fd, up, down, pad, flip):
    options = {"up": up, "down": down, "pad": pad, "gain": 1.3, "slope": 0.1, "clamp": 1.0}
    assert_twins(
        lambda x, b: filtered_lrelu(x, fu, fd, b, flip_filter=flip, **options),
        lambda x, b: reference.filtered_lrelu(x, fu, fd, b, flip=flip, **options),
        *inputs(),
    )


@pytest.mark.parametrize("gain", [-1.5, 0.0])
def test_a_gain_that_is_not_above_zero_is_applied_behind_the_leaky_relu(gain):
    options = {"up": 2, "down": 2, "pad": (9, 8, 9, 8), "gain": gain, "clamp": 1.0}
    assert_twins(
        lambda x, b: filtered_lrelu(x, UP2, DOWN, b, **options),
        lambda x, b: reference.filtered_lrelu(x, UP2, DOWN, b, **options),
        *inputs(),
    )


@pytest.mark.parametrize("fd", [lowpass(4, 1, 1, 4), radial_lowpass(4, 1, 1, 4)])
def test_numerical_differences_confirm_both_derivatives(fd):
    fu = lowpass(4, 1, 1, 4)
    x, b = inputs(n=1, c=2, size=(3, 4))
    assert_differentiable_twice(
        lambda x, b: filtered_lrelu(x, fu, fd, b, up=2, down=2, pad=(3, 2, 2, 3), clamp=1.5), x, b
    )


@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16, torch.float32, torch.float64])
def test_dtype_and_channels_last_are_kept(dtype):
    x, b = inputs()
    y = filtered_lrelu(channels_last(x.to(dtype)), UP2, RADIAL, b, up=2, down=2, pad=(9, 8, 9, 8))
    assert y.dtype == dtype
    assert is_channels_last(y)


def test_output_has_the_size_of_the_docstring():
    x, b = inputs()
    y = filtered_lrelu(x, UP4, ODD, b, up=4, down=3, pad=(1, 2, -3, 4))
    assert y.shape == (2, 3, (13 * 4 + 1 - 24 - 5 + 1) // 3 + 1, (12 * 4 + 3 - 24 - 5 + 1) // 3 + 1)


def test_the_clamp_holds_at_the_high_rate():
    x, b = inputs(dtype=torch.float32)
    y = filtered_lrelu(1000 * x, UP2, None, b, up=2, pad=6, clamp=0.5)
    assert y.abs().max() == 0.5


def test_a_low_frequency_stays_where_it_is_and_makes_no_aliases():
    """Leaky ReLU commutes with translation of the image, up to the aliasing that the filters let through."""
    size, rate, moved = 64, 32, 0.5  # samples

    def wave(shift):
        t = (torch.arange(size, dtype=torch.float64) + shift) / rate
        return (2 * torch.pi * 1.5 * t).sin().expand(1, 1, size, size)

    def act(x):
        return filtered_lrelu(x, lowpass(24, 4, 8, 64), lowpass(24, 4, 8, 64), up=2, down=2, pad=23)[
            ..., 20:-20, 20:-20
        ]

    here, there = act(wave(0)), act(wave(moved))
    spectrum = torch.fft.rfftfreq(here.shape[-1], dtype=torch.float64) * 2j * torch.pi
    by_phase = torch.fft.irfft(torch.fft.rfft(here) * (spectrum * moved).exp(), n=here.shape[-1])
    inner = slice(8, -8)
    assert_close(by_phase[..., inner], there[..., inner], rtol=0, atol=5e-2)


def test_filters_larger_than_the_image_are_refused():
    with pytest.raises(ShapeError, match="a filter of 1x12 taps does not fit"):
        filtered_lrelu(torch.zeros(1, 1, 2, 2), UP2, DOWN, up=2, down=2)
