"""Modulated convolution, StyleGAN2 Eqs. 1-3."""

import pytest
import reference
import torch
from derivatives import assert_differentiable_twice, assert_twins, channels_last, is_channels_last
from torch.testing import assert_close

from stylegan.ops import modulated_conv2d, setup_filter

F1331, F124 = setup_filter([1, 3, 3, 1]), setup_filter([1, 2, 4])


def inputs(n=2, i=3, o=4, k=3, size=(5, 6), dtype=torch.float64):
    return torch.randn(n, i, *size, dtype=dtype), torch.randn(o, i, k, k, dtype=dtype), torch.randn(n, i, dtype=dtype)


@pytest.mark.parametrize("demodulate", [True, False])
@pytest.mark.parametrize("flip", [True, False])
@pytest.mark.parametrize(
    ("k", "up", "f", "padding"),
    [
        (3, 1, None, None),
        (1, 1, None, None),
        (3, 2, F1331, None),
        (3, 2, F124, None),
        (1, 2, F124, None),
        (3, 1, None, 0),
    ],
)
def test_fast_and_slow_agree_to_second_derivatives(k, up, f, padding, flip, demodulate):
    options = {"up": up, "f": f, "padding": padding, "flip_weight": flip, "demodulate": demodulate}
    assert_twins(
        lambda *a: modulated_conv2d(*a, **options), lambda *a: reference.modulated_conv2d(*a, **options), *inputs(k=k)
    )


@pytest.mark.parametrize("demodulate", [True, False])
@pytest.mark.parametrize("shape", [[], [3], [2, 3]])
def test_an_input_gain_is_not_demodulated(shape, demodulate):
    options = {"padding": 2, "demodulate": demodulate, "input_gain": torch.randn(shape, dtype=torch.float64)}
    assert_twins(
        lambda *a: modulated_conv2d(*a, **options), lambda *a: reference.modulated_conv2d(*a, **options), *inputs()
    )


@pytest.mark.parametrize("demodulate", [True, False])
@pytest.mark.parametrize("up", [1, 2])
def test_numerical_differences_confirm_both_derivatives(up, demodulate):
    x, weight, s = inputs(i=2, o=2, size=(3, 2))
    f = F124 if up > 1 else None
    assert_differentiable_twice(lambda *a: modulated_conv2d(*a, up=up, f=f, demodulate=demodulate), x, weight, s)


def test_each_sample_only_meets_its_own_style():
    x, weight, s = inputs()
    both = modulated_conv2d(x, weight, s)
    for n in range(2):
        assert_close(both[n : n + 1], modulated_conv2d(x[n : n + 1], weight, s[n : n + 1]))


def test_scaling_every_style_or_weight_leaves_the_output_unchanged():
    x, weight, s = inputs()
    y = modulated_conv2d(x, weight, s)
    assert_close(modulated_conv2d(x, weight, 10 * s), y)
    assert_close(modulated_conv2d(x, 7 * weight, s), y)


def test_demodulated_output_of_unit_noise_has_unit_variance():
    x, weight, s = inputs(n=4, i=16, o=32, size=(16, 16), dtype=torch.float32)
    y = modulated_conv2d(x, weight, 3 * s + 1, padding=0)
    assert abs(y.var() - 1) < 0.1


def test_without_demodulation_the_style_scales_the_output():
    x, weight, s = inputs()
    assert_close(
        modulated_conv2d(x, weight, 10 * s, demodulate=False), 10 * modulated_conv2d(x, weight, s, demodulate=False)
    )


def test_zero_styles_give_zero_and_finite_gradients():
    x, weight, s = inputs()
    s = torch.zeros_like(s, requires_grad=True)
    y = modulated_conv2d(x, weight, s)
    (gradient,) = torch.autograd.grad(y.sum(), s)
    assert torch.equal(y, torch.zeros_like(y))
    assert gradient.isfinite().all()


@pytest.mark.parametrize(("k", "up"), [(3, 1), (3, 2), (1, 1)])
def test_default_padding_keeps_the_promised_shape(k, up):
    x, weight, s = inputs(k=k)
    assert modulated_conv2d(x, weight, s, up=up, f=F1331).shape == (2, 4, 5 * up, 6 * up)


@pytest.mark.parametrize("demodulate", [True, False])
@pytest.mark.parametrize("up", [1, 2])
@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16, torch.float32, torch.float64])
def test_dtype_and_channels_last_of_the_image_are_kept(dtype, up, demodulate):
    x, weight, s = inputs(dtype=torch.float32)
    y = modulated_conv2d(channels_last(x.to(dtype)), weight, s, up=up, f=F1331, demodulate=demodulate)
    assert y.dtype == dtype
    assert is_channels_last(y)


@pytest.mark.parametrize(("dtype", "tolerance"), [(torch.float16, 1e-2), (torch.bfloat16, 1e-1)])
def test_reduced_precision_is_close_to_float32(dtype, tolerance):
    x, weight, s = inputs(i=16, dtype=torch.float32)
    y = modulated_conv2d(x.to(dtype), weight, s, up=2, f=F1331).float()
    assert_close(y, modulated_conv2d(x, weight, s, up=2, f=F1331), rtol=tolerance, atol=tolerance)


@pytest.mark.parametrize("scale", [1e-4, 1e4])
def test_half_precision_neither_overflows_nor_vanishes_under_extreme_scales(scale):
    x, weight, s = inputs(i=64, dtype=torch.float32)
    y = modulated_conv2d(x.half(), scale * weight, scale * s).float()
    assert_close(y, modulated_conv2d(x, weight, s), rtol=2e-2, atol=2e-2)


def test_half_precision_gradients_equal_those_of_float32():
    x, weight, s = inputs(dtype=torch.float32)
    gradients = []
    for dtype in (torch.float16, torch.float32):
        leaves = [weight.clone().requires_grad_(), s.clone().requires_grad_()]
        y = modulated_conv2d(x.to(dtype), *leaves)
        gradients.append(torch.autograd.grad(y.float().square().mean(), leaves))
    for half, full in zip(*gradients, strict=True):
        assert_close(half, full, rtol=3e-2, atol=3e-3)
