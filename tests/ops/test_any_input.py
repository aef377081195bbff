"""Every operation equals its slow twin for any size, batch, memory layout and dtype, or raises ShapeError."""

import pytest
import reference
import torch
import torch.nn.functional as F
from hypothesis import given, settings
from hypothesis import strategies as st
from torch.testing import assert_close

from stylegan import ops
from stylegan.errors import ShapeError
from stylegan.ops.conv2d import conv2d

TOLERANCE = {torch.float64: 1e-9, torch.float32: 1e-4, torch.bfloat16: 4e-2}
LAYOUTS = ("contiguous", "channels_last", "transposed", "strided", "expanded")
examples = settings(max_examples=40, deadline=None, derandomize=True, database=None)


@st.composite
def images(draw):
    """[N, C, H, W], from an empty batch and a single pixel on, in any layout and dtype."""
    n, c, h, w = (draw(st.integers(least, most)) for least, most in ((0, 3), (1, 4), (1, 6), (1, 6)))
    dtype, layout = draw(st.sampled_from(list(TOLERANCE))), draw(st.sampled_from(LAYOUTS))
    torch.manual_seed(draw(st.integers(0, 99)))
    if layout == "transposed":
        return torch.randn(w, h, c, n).permute(3, 2, 1, 0).to(dtype)
    if layout == "strided":
        return torch.randn(n, c, 2 * h, w + 1).to(dtype)[:, :, ::2, 1:]
    if layout == "expanded":
        return torch.randn(1, c, h, 1).to(dtype).expand(n, c, h, w)
    x = torch.randn(n, c, h, w).to(dtype)
    return x.contiguous(memory_format=torch.channels_last) if layout == "channels_last" else x


filters = st.sampled_from([None, [1.0], [1.0, 3, 3, 1], [1.0, 2, 1], list(range(1, 10))])
small = st.integers(-2, 3)
pads = st.one_of(small, st.tuples(small, small), st.tuples(small, small, small, small))


def weights(x, outputs, kernel, inputs=None):
    weight = torch.randn(outputs, x.shape[1] if inputs is None else inputs, kernel, kernel, dtype=torch.float64)
    return weight.to(x.dtype)


def assert_same(fast, slow, x, *others, rounding=1.0):
    """Compare fast(x, ...) and its derivatives with those of slow in float64, which gets one image for an empty batch.

    `others` are tensors whose first axis is that of x, or weights; `rounding` is how much the operation enlarges it.
    """
    n = len(x)
    inputs = [t.detach().requires_grad_() for t in (x, *others)]
    exact = [t.detach().double() for t in inputs]
    exact = [(t if t.numel() else torch.zeros(1, *t.shape[1:]).double()).requires_grad_() for t in exact]
    try:
        expected = slow(*exact)
    except (RuntimeError, IndexError, ShapeError):  # the twin, too, has no such image
        expected = torch.empty(n, 0)
    if 0 in expected.shape[1:]:
        with pytest.raises(ShapeError):
            fast(*inputs)
        return
    result = fast(*inputs)
    assert (result.dtype, result.shape) == (x.dtype, (n, *expected.shape[1:]))
    assert_near(result, expected[:n], x.dtype, rounding)
    out = torch.randn(expected.shape, dtype=torch.float64)[:n]
    gradients = torch.autograd.grad(result, inputs, out.to(x.dtype))
    exact_gradients = torch.autograd.grad(expected[:n], exact, out)
    for gradient, exact_gradient, t in zip(gradients, exact_gradients, inputs, strict=True):
        assert (gradient.shape, gradient.dtype) == (t.shape, t.dtype)
        assert gradient.isfinite().all()
        if x.dtype != torch.bfloat16:  # rounding moves numbers across the kinks of activations
            assert_near(gradient, exact_gradient[: len(gradient)], x.dtype, rounding)


def assert_near(found, expected, dtype, rounding):
    largest = max(1.0, float(expected.detach().abs().max())) if expected.numel() else 1.0
    assert_close(found.double(), expected, rtol=0, atol=TOLERANCE[dtype] * rounding * largest)


@examples
@given(images(), filters, st.integers(1, 3), st.integers(1, 3), pads, st.booleans())
def test_upfirdn2d(x, taps, up, down, pad, flip):
    f = None if taps is None else ops.setup_filter(taps)
    options = {"up": up, "down": down, "pad": pad, "flip_filter": flip, "gain": 1.5}
    assert_same(
        lambda x: ops.upfirdn2d(x, f, **options),
        lambda x: reference.upfirdn2d(x, None if f is None else f.double(), **options),
        x,
    )


@examples
@given(images(), st.integers(0, 3), st.integers(1, 4), st.integers(1, 3), st.integers(0, 2))
def test_conv2d(x, outputs, kernel, stride, padding):
    weight = weights(x, outputs + 1, kernel)
    options = {"stride": stride, "padding": (padding, padding)}
    assert_same(lambda x, w: conv2d(x, w, **options), lambda x, w: F.conv2d(x, w, **options), x, weight)


@examples
@given(
    images(), filters, st.sampled_from([1, 2, 3]), st.integers(1, 3), st.integers(1, 2), st.booleans(), st.booleans()
)
def test_resample_conv2d(x, taps, kernel, up, down, padded, flip):
    f = None if taps is None else ops.setup_filter(taps)
    options = {"up": up, "down": down, "padding": kernel // 2 if padded else 0, "flip_weight": flip}
    assert_same(
        lambda x, w: ops.resample_conv2d(x, w, f, **options),
        lambda x, w: reference.resample_conv2d(x, w, None if f is None else f.double(), **options),
        x,
        weights(x, 2, kernel),
    )


@examples
@given(images(), st.sampled_from([1, 2, 3]), st.sampled_from([1, 2]), st.booleans(), st.booleans())
def test_modulated_conv2d(x, kernel, up, demodulate, flip):
    f = ops.setup_filter([1, 3, 3, 1])
    styles = torch.randn(x.shape[:2]).to(torch.promote_types(x.dtype, torch.float32)) + 1.5
    weight = weights(x, 2, kernel).to(styles.dtype)
    options = {"up": up, "demodulate": demodulate, "flip_weight": flip}
    assert_same(
        lambda x, w, s: ops.modulated_conv2d(x, w, s, f=f, **options),
        lambda x, w, s: reference.modulated_conv2d(x, w, s, f=f.double(), **options),
        x,
        weight,
        styles,
    )


@examples
@given(images(), st.sampled_from(list(reference.ACTIVATIONS)), st.booleans(), st.sampled_from([None, 0.5]))
def test_bias_act(x, act, biased, clamp):
    b = torch.randn(x.shape[1]).to(x.dtype) if biased else None
    assert_same(
        lambda x: ops.bias_act(x, b, act=act, clamp=clamp),
        lambda x: reference.bias_act(x, None if b is None else b.double(), act=act, clamp=clamp),
        x,
    )


@examples
@given(images(), filters, filters, st.integers(1, 3), st.integers(1, 2), pads, st.booleans())
def test_filtered_lrelu(x, up_taps, down_taps, up, down, pad, biased):
    fu, fd = (None if taps is None else ops.setup_filter(taps) for taps in (up_taps, down_taps))
    b = torch.randn(x.shape[1]).to(x.dtype) if biased else None
    options = {"up": up, "down": down, "pad": pad, "clamp": 2.0}
    fu64, fd64, b64 = (None if t is None else t.double() for t in (fu, fd, b))
    assert_same(
        lambda x: ops.filtered_lrelu(x, fu, fd, b, **options),
        lambda x: reference.filtered_lrelu(x, fu64, fd64, b64, **options),
        x,
    )


@examples
@given(images(), st.sampled_from([None, 1, 2, 4]), st.integers(1, 3))
def test_minibatch_std(x, group_size, num_channels):
    n, c = x.shape[:2]
    divides = n % (min(group_size, n) if group_size and n else n or 1) == 0 and c % num_channels == 0

    def slow(x):
        if not divides:
            raise ShapeError("no groups")
        return reference.minibatch_std(x, group_size, num_channels)

    assert_same(lambda x: ops.minibatch_std(x, group_size, num_channels), slow, x)


@examples
@given(images(), st.integers(0, 3))
def test_pixel_norm(x, dim):
    def slow(x):
        return x / (x.square().mean(dim, keepdim=True) + 1e-8).sqrt()

    assert_same(lambda x: ops.pixel_norm(x, dim=dim), slow, x)


@examples
@given(images(), st.booleans())
def test_instance_norm(x, styled):
    scale, shift = (torch.randn(x.shape[:2]) if styled else None for _ in range(2))

    def slow(x):
        x = x - x.mean([2, 3], keepdim=True)
        y = x / (x.square().mean([2, 3], keepdim=True) + 1e-8).sqrt()
        return y * scale[:, :, None, None].double() + shift[:, :, None, None].double() if styled else y

    # A constant channel is divided by 1e-4.
    assert_same(lambda x: ops.instance_norm(x, scale, shift), slow, x, rounding=10)
