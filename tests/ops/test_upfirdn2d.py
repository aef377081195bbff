"""upfirdn2d and the functions built on it."""

from typing import Any

import pytest
import reference
import torch
from derivatives import assert_differentiable_twice, assert_twins, channels_last, is_channels_last
from hypothesis import assume, given, settings
from hypothesis import strategies as st
from torch.testing import assert_close

from stylegan.errors import ShapeError
from stylegan.ops import downsample2d, filter2d, setup_filter, upfirdn2d, upsample2d

DTYPES = [torch.float16, torch.bfloat16, torch.float32, torch.float64]
BINOMIAL = [1, 3, 3, 1]
factors = st.tuples(st.integers(1, 4), st.integers(1, 4))
pads = st.tuples(*[st.integers(-4, 9)] * 4)
sizes = st.tuples(st.integers(1, 9), st.integers(1, 9))
filters = st.one_of(
    st.none(),
    st.integers(1, 9).map(lambda t: torch.linspace(-1, 2, t)),
    st.tuples(st.integers(1, 5), st.integers(1, 5)).map(lambda k: torch.linspace(-1, 2, k[0] * k[1]).reshape(k)),
)
sweep = settings(max_examples=100, deadline=None, derandomize=True, database=None)


def assert_right(size, f, up, down, pad, flip, last):
    """Value, first and second derivatives."""
    x = torch.randn(2, 3, *size, dtype=torch.float64)
    x = channels_last(x) if last else x
    options = {"up": up, "down": down, "pad": pad, "flip_filter": flip, "gain": 1.5}
    assert_twins(lambda x: upfirdn2d(x, f, **options), lambda x: reference.upfirdn2d(x, f, **options), x)


@sweep
@given(sizes, filters, factors, factors, pads, st.booleans(), st.booleans())
def test_fast_and_slow_agree_to_second_derivatives(size, f, up, down, pad, flip, last):
    kh, kw = reference.taps2d(f).shape
    assume(size[1] * up[0] + pad[0] + pad[1] >= kw and size[0] * up[1] + pad[2] + pad[3] >= kh)
    assert_right(size, f, up, down, pad, flip, last)


@pytest.mark.parametrize(("down", "pad"), [(1, (-5, 5, 0, 0)), (3, (2, -2, 0, 0)), (3, (0, 0, 6, -5))])
def test_a_side_may_crop_more_than_the_unpadded_image_has(down, pad):
    for f in (None, torch.tensor([[1.0, 2, 4]])):
        for up in (1, 2):
            assert_right((3, 3), f, (up, up), (down, down), pad, False, False)


@pytest.mark.parametrize("layout", [torch.contiguous_format, torch.channels_last])
@pytest.mark.parametrize("f", [torch.randn(4, 4), torch.randn(3, 2), torch.randn(12)])
@pytest.mark.parametrize(("up", "down", "pad"), [(2, 1, (2, 1, 2, 1)), ((4, 3), 2, (11, 11, 10, 12)), (3, 1, -2)])
def test_float32_agrees_with_the_slow_twin_to_second_derivatives(up, down, pad, f, layout):
    x = torch.randn(1, 2, 9, 8).contiguous(memory_format=layout)
    options = {"up": up, "down": down, "pad": pad}
    assert_twins(
        lambda x: upfirdn2d(x, f, **options), lambda x: reference.upfirdn2d(x, f, **options), x, tolerance=3e-4
    )


@pytest.mark.parametrize("separable", [True, False])
@pytest.mark.parametrize(("up", "down"), [(1, 1), (2, 1), (1, 2), ((2, 3), (3, 2))])
def test_numerical_differences_confirm_both_derivatives(up, down, separable):
    f = torch.tensor([0.5, -1, 2]) if separable else torch.tensor([[1.0, 2], [3, -4], [0.5, 1]])
    x = torch.randn(1, 2, 4, 3, dtype=torch.float64)
    assert_differentiable_twice(lambda x: upfirdn2d(x, f, up=up, down=down, pad=(2, 1, 1, 0)), x)


@pytest.mark.parametrize("op", [filter2d, upsample2d, downsample2d])
def test_numerical_differences_confirm_resampling(op):
    f = setup_filter([1, 2, 4])
    assert_differentiable_twice(lambda x: op(x, f), torch.randn(1, 2, 4, 4, dtype=torch.float64))


@pytest.mark.parametrize(("flip", "row", "expected"), [(False, 1, [0.0, 1, 2, 4, 0]), (True, 3, [0.0, 4, 2, 1, 0])])
def test_impulse_returns_the_filter_and_flipping_reverses_it(flip, row, expected):
    x, f = torch.zeros(1, 1, 5, 5), torch.zeros(3, 3)
    x[0, 0, 2, 2] = 1
    f[0] = torch.tensor([1.0, 2, 4])
    y = upfirdn2d(x, f, pad=1, flip_filter=flip)[0, 0]
    assert y[row].tolist() == expected
    assert y.sum() == 7


@pytest.mark.parametrize("f", [torch.randn(3, 2), torch.randn(5)])
def test_output_has_the_size_of_the_docstring(f):
    x, (kh, kw) = torch.randn(2, 3, 7, 6), reference.taps2d(f).shape
    y = upfirdn2d(x, f, up=(2, 3), down=(3, 2), pad=(1, 2, 3, -1))
    assert y.shape == (2, 3, (7 * 3 + 3 - 1 - kh) // 2 + 1, (6 * 2 + 1 + 2 - kw) // 3 + 1)


def test_x_comes_before_y_in_every_pair():
    x = torch.ones(1, 1, 4, 4)
    assert upfirdn2d(x, None, up=(3, 2)).shape[2:] == (8, 12)
    assert upfirdn2d(x, None, down=(1, 4)).shape[2:] == (1, 4)
    assert upfirdn2d(x, None, pad=(1, 0)).shape[2:] == (4, 6)
    assert upfirdn2d(x, None, pad=(1, 0, 0, 0))[0, 0, 0].tolist() == [0, 1, 1, 1, 1]


def test_a_number_for_up_down_and_pad_means_both_axes():
    x, f = torch.randn(1, 2, 5, 6), torch.randn(3, 3)
    assert_close(
        upfirdn2d(x, f, up=2, down=3, pad=1), upfirdn2d(x, f, up=(2, 2), down=(3, 3), pad=(1, 1, 1, 1)), rtol=0, atol=0
    )


def test_separable_filter_equals_its_outer_product():
    x, f = torch.randn(1, 2, 6, 7), torch.randn(4)
    options: dict[str, Any] = {"up": 2, "down": 3, "pad": (3, 2, 1, 4), "gain": 3.0}
    assert_close(upfirdn2d(x, f, **options), upfirdn2d(x, f.outer(f), **options), rtol=1e-4, atol=1e-5)


def test_no_filter_is_the_identity():
    x = torch.randn(2, 3, 4, 5)
    assert torch.equal(upfirdn2d(x, None), x)


@pytest.mark.parametrize("size", [(1, 1), (1, 7), (7, 1)])
def test_images_of_a_single_row_or_column_are_resampled(size):
    x, f = torch.randn(1, 2, *size, dtype=torch.float64), setup_filter(BINOMIAL)
    assert_twins(lambda x: upsample2d(x, f), lambda x: reference.upsample2d(x, f), x)


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("op", [filter2d, upsample2d, downsample2d, upfirdn2d])
def test_dtype_and_channels_last_are_kept_forward_and_backward(op, dtype):
    f = setup_filter(BINOMIAL)
    x = channels_last(torch.randn(2, 3, 8, 6).to(dtype)).requires_grad_()
    y = op(x, f)
    assert y.dtype == dtype
    assert is_channels_last(y)
    (gradient,) = torch.autograd.grad(y, x, torch.randn_like(y))
    assert gradient.dtype == dtype
    assert is_channels_last(gradient)


@pytest.mark.parametrize(("dtype", "tolerance"), [(torch.float16, 5e-3), (torch.bfloat16, 4e-2)])
def test_reduced_precision_is_close_to_float32(dtype, tolerance):
    x, f = torch.randn(1, 4, 8, 8), setup_filter(BINOMIAL)
    assert_close(upsample2d(x.to(dtype), f).float(), upsample2d(x, f), rtol=tolerance, atol=tolerance)


def test_the_filter_gets_no_gradient():
    x, f = torch.randn(1, 1, 4, 4, requires_grad=True), torch.ones(2, 2, requires_grad=True)
    upfirdn2d(x, f).sum().backward()
    assert f.grad is None


@pytest.mark.parametrize("up", [1, 2])
def test_filter_larger_than_the_padded_image_is_refused(up):
    with pytest.raises(ShapeError, match=r"a filter of 12x12 taps does not fit an image of 9x9 pixels after padding"):
        upfirdn2d(torch.zeros(1, 1, 8 // up, 8 // up), torch.ones(12, 12), up=up, pad=(1, 0, 1, 0))


def test_resampling_gives_the_published_numbers():
    x, f = torch.arange(16.0).reshape(1, 1, 4, 4), setup_filter(BINOMIAL)
    first = [0, 0.1875, 0.5625, 0.9375, 1.3125, 1.6875, 2.0625, 1.6875]
    up = upsample2d(x, f)[0, 0]
    assert_close(up[0], torch.tensor(first))
    assert_close(up[1, :4], torch.tensor([0.75, 1.25, 1.75, 2.25]))
    assert_close(downsample2d(x, f)[0, 0], torch.tensor([[2.734375, 3.9375], [7.546875, 8.75]]))
    assert_close(filter2d(x, f)[0, 0, 0], torch.tensor([0.3125, 0.75, 1.25, 1.4375]))


@pytest.mark.parametrize("taps", [[1, 1], [1, 2, 1], BINOMIAL, [1, 2, 3, 4, 3, 2, 1, 5]])
@pytest.mark.parametrize("factor", [2, 3, (2, 4)])
def test_resampling_keeps_its_promised_shapes(taps, factor):
    f, (fx, fy) = setup_filter(taps), reference.pair(factor)
    x = torch.randn(2, 3, 12, 24)
    assert filter2d(x, f).shape == x.shape
    assert upsample2d(x, f, up=factor).shape == (2, 3, 12 * fy, 24 * fx)
    assert downsample2d(x, f, down=factor).shape == (2, 3, 12 // fy, 24 // fx)
    assert upsample2d(x, f, up=factor, pad=(1, 2, 3, 4)).shape == (2, 3, 12 * fy + 7, 24 * fx + 3)
    assert filter2d(x, f, pad=-1).shape == (2, 3, 10, 22)


def test_resampling_keeps_the_brightness_of_an_even_image():
    x, f = torch.full([1, 1, 16, 16], 0.7), setup_filter(BINOMIAL)
    for y in (upsample2d(x, f), downsample2d(x, f), filter2d(x, f)):
        assert_close(y[..., 3:-3, 3:-3], torch.full_like(y[..., 3:-3, 3:-3], 0.7))


def test_short_taps_become_a_square_of_unit_sum():
    f = setup_filter(BINOMIAL)
    expected = torch.tensor([1.0, 3, 3, 1]).outer(torch.tensor([1.0, 3, 3, 1])) / 64
    assert f.dtype == torch.float32
    assert torch.equal(f, expected)


def test_from_eight_taps_on_a_filter_stays_separable_by_default():
    assert setup_filter(list(range(1, 8))).shape == (7, 7)
    assert setup_filter(list(range(1, 9))).shape == (8,)
    assert setup_filter(list(range(1, 9)), separable=False).shape == (8, 8)
    assert setup_filter(BINOMIAL, separable=True).shape == (4,)
    assert_close(setup_filter(list(range(1, 9))).sum(), torch.tensor(1.0))


@pytest.mark.parametrize("taps", [None, 3.0, [5]])
def test_no_taps_or_one_tap_is_the_identity(taps):
    assert setup_filter(taps).tolist() == [[1]]


def test_gain_is_that_of_the_square_and_flip_reverses_every_axis():
    f = setup_filter([1, 2, 4], normalize=False, gain=4)
    assert torch.equal(f[2], torch.tensor([16.0, 32, 64]))
    assert setup_filter([1, 2, 4], normalize=False, gain=4, separable=True).tolist() == [2, 4, 8]
    assert setup_filter([[1, 2], [3, 4]], normalize=False, flip=True).tolist() == [[4, 3], [2, 1]]


@pytest.mark.parametrize("taps", [torch.zeros(2, 2, 2), []])
def test_taps_of_other_than_one_or_two_dimensions_are_refused(taps):
    with pytest.raises(ShapeError, match=r"a filter takes \[T\] or \[Kh, Kw\] taps, got shape \["):
        setup_filter(taps)
