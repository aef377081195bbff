"""Resampling with FIR filters: insert zeros, pad, filter, drop samples.

The zeros are never stored: enlarging is a transposed depthwise convolution or, one phase at a time, a depthwise
convolution of the input with every up-th tap, and dropping samples is a stride. The gradient is the same operation with
up and down exchanged, so all derivatives are as fast as the first; autograd's higher derivatives of a depthwise
convolution are slow.
"""

from __future__ import annotations

from collections.abc import Sequence

import torch
import torch.nn.functional as F
from torch import Tensor

from stylegan.errors import ShapeError
from stylegan.ops.derivatives import apply, differentiable, keep, leading

Sides = tuple[int, int, int, int]  # left, right, top, bottom
Taps = Tensor | Sequence[float] | Sequence[Sequence[float]] | None


def setup_filter(
    taps: Taps, *, normalize: bool = True, flip: bool = False, gain: float = 1.0, separable: bool | None = None
) -> Tensor:
    """Return taps in the form that the other functions of this file expect.

    Args:
        taps: [T] or [Kh, Kw] numbers; None is the identity.
        normalize: divide by the sum, so that the gain at DC is 1.
        flip: reverse every axis.
        gain: factor on the 2-D response.
        separable: keep 1-D taps 1-D and apply them along each axis. Default: from 8 taps on, where that is faster.
    Returns: float32 [T] or [Kh, Kw].
    Raises: ShapeError if the taps have neither one nor two dimensions.
    """
    given = isinstance(taps, Tensor)
    # Arithmetic on the default device meta, where checkpoints build networks, imports PyTorch's compiler: a second.
    f = torch.as_tensor(1.0 if taps is None else taps, dtype=torch.float32, device=None if given else "cpu")
    if f.ndim == 0:
        f = f[None]
    if f.ndim > 2 or f.numel() == 0:
        raise ShapeError(f"a filter takes [T] or [Kh, Kw] taps, got shape {list(f.shape)}.")
    if f.ndim == 1 and not (separable if separable is not None else len(f) >= 8):
        f = f.outer(f)
    if normalize:
        f = f / f.sum()
    if flip:
        f = f.flip(list(range(f.ndim)))
    f = f * gain ** (f.ndim / 2)
    return f if given else f.to(torch.get_default_device())


def upfirdn2d(
    x: Tensor,
    f: Tensor | None,
    *,
    up: int | Sequence[int] = 1,
    down: int | Sequence[int] = 1,
    pad: int | Sequence[int] = 0,
    flip_filter: bool = False,
    gain: float = 1.0,
) -> Tensor:
    """Resample images: insert zeros, pad, convolve with `f`, drop samples.

    Args:
        x: [N, C, H, W], any float dtype; the result has the same.
        f: float32 taps, [Kh, Kw] or separable [T] from `setup_filter`; None is the identity.
        up: integer >= 1 or (x, y); H becomes H*up with up-1 zeros after every sample.
        down: integer >= 1 or (x, y); every down-th sample is kept, starting with the first.
        pad: number, (x, y) or (left, right, top, bottom), in pixels of the upsampled grid; negative crops.
        flip_filter: False convolves (the taps are reversed), True correlates.
        gain: factor on the result. Zero insertion divides brightness by up**2; pass that to undo it.
    Returns: [N, C, (H*up + top + bottom - Kh) // down + 1, (W*up + left + right - Kw) // down + 1]
    Raises: ShapeError if `f` is larger than the padded image.
    Source: StyleGAN2 App. B. Equal to `scipy.signal.upfirdn` along each axis, the reference of the tests.
    """
    (up_x, up_y), (down_x, down_y) = _pair(up), _pair(down)
    left, right, top, bottom = sides(pad)
    if f is None:
        f = x.new_ones([1, 1], dtype=torch.float32)
    if f.ndim == 1:
        options = {"flip_filter": flip_filter, "gain": gain**0.5}
        x = upfirdn2d(x, f[None, :], up=(up_x, 1), down=(down_x, 1), pad=(left, right, 0, 0), **options)
        return upfirdn2d(x, f[:, None], up=(1, up_y), down=(1, down_y), pad=(0, 0, top, bottom), **options)

    (kh, kw), (h, w) = f.shape, x.shape[2:]
    if h * up_y + top + bottom < kh or w * up_x + left + right < kw:
        raise ShapeError(
            f"a filter of {kh}x{kw} taps does not fit an image of {h * up_y + top + bottom}x"
            f"{w * up_x + left + right} pixels after padding; use a larger image or more padding."
        )
    taps = (f.to(torch.promote_types(x.dtype, f.dtype)) * gain).to(x.dtype)
    taps = taps if flip_filter else taps.flip([0, 1])
    return apply(_UpFirDn, x, taps, (up_x, up_y), (down_x, down_y), (left, right, top, bottom))


def filter2d(x: Tensor, f: Tensor, *, pad: int | Sequence[int] = 0, flip_filter: bool = False, gain: float = 1.0):
    """Filter at the same resolution: [N, C, H, W] -> [N, C, H, W], enlarged by `pad`."""
    tx, ty = _taps(f)
    left, right, top, bottom = sides(pad)
    pad = (left + tx // 2, right + (tx - 1) // 2, top + ty // 2, bottom + (ty - 1) // 2)
    return upfirdn2d(x, f, pad=pad, flip_filter=flip_filter, gain=gain)


def upsample2d(
    x: Tensor,
    f: Tensor,
    *,
    up: int | Sequence[int] = 2,
    pad: int | Sequence[int] = 0,
    flip_filter: bool = False,
    gain: float = 1.0,
) -> Tensor:
    """Upsample by `up` and preserve brightness: [N, C, H, W] -> [N, C, H*up, W*up], enlarged by `pad`."""
    ux, uy = _pair(up)
    return upfirdn2d(x, f, up=up, pad=up_padding(f, up, pad), flip_filter=flip_filter, gain=gain * ux * uy)


def downsample2d(
    x: Tensor,
    f: Tensor,
    *,
    down: int | Sequence[int] = 2,
    pad: int | Sequence[int] = 0,
    flip_filter: bool = False,
    gain: float = 1.0,
) -> Tensor:
    """Downsample by `down`: [N, C, H, W] -> [N, C, H/down, W/down], enlarged by `pad`."""
    return upfirdn2d(x, f, down=down, pad=down_padding(f, down, pad), flip_filter=flip_filter, gain=gain)


def up_padding(f: Tensor | None, up: int | Sequence[int], pad: int | Sequence[int] = 0) -> Sides:
    """Return the padding (left, right, top, bottom) that centers `f` on samples `up` apart, plus `pad`."""
    (tx, ty), (ux, uy) = _taps(f), _pair(up)
    left, right, top, bottom = sides(pad)
    return left + (tx + ux - 1) // 2, right + (tx - ux) // 2, top + (ty + uy - 1) // 2, bottom + (ty - uy) // 2


def down_padding(f: Tensor | None, down: int | Sequence[int], pad: int | Sequence[int] = 0) -> Sides:
    """Return the padding (left, right, top, bottom) that centers `f` on groups of `down` samples, plus `pad`."""
    (tx, ty), (dx, dy) = _taps(f), _pair(down)
    left, right, top, bottom = sides(pad)
    return left + (tx - dx + 1) // 2, right + (tx - dx) // 2, top + (ty - dy + 1) // 2, bottom + (ty - dy) // 2


@differentiable
class _UpFirDn(torch.autograd.Function):
    """Resampling by correlation with `taps`, which get no gradient."""

    @staticmethod
    def forward(x, taps, up, down, pad):
        return _stretch(x, taps, up, pad, down) if up != (1, 1) else _correlate(x, taps, pad, stride=down)

    @staticmethod
    def setup_context(ctx, inputs, output):
        x, taps, *ctx.options = inputs
        ctx.size = x.shape[2:]
        keep(ctx, taps)

    @staticmethod
    def backward(ctx, grad):
        (taps,) = ctx.saved_tensors
        (up, down, (left, _, top, _)), (h, w) = ctx.options, ctx.size
        kh, kw = taps.shape
        pad = (
            kw - 1 - left,
            w * up[0] - grad.shape[3] * down[0] + left - up[0] + 1,
            kh - 1 - top,
            h * up[1] - grad.shape[2] * down[1] + top - up[1] + 1,
        )
        return apply(_UpFirDn, grad, taps.flip([0, 1]), down, up, pad), None, None, None, None

    @staticmethod
    def tangent(ctx, x, *_):
        (taps,) = ctx.saved_tensors
        return apply(_UpFirDn, x, taps, *ctx.options)

    @staticmethod
    def vmap(info, dims, x, taps, *options):
        if dims[1] is not None:  # filters of several networks
            xs = leading(x, dims[0]).expand(info.batch_size, *([-1] * 4))
            results = [apply(_UpFirDn, x, f, *options) for x, f in zip(xs, leading(taps, dims[1]), strict=True)]
            return torch.stack(results), 0
        y = apply(_UpFirDn, leading(x, dims[0]).flatten(0, 1), taps, *options)
        return y.unflatten(0, (info.batch_size, -1)), 0


def _correlate(x: Tensor, taps: Tensor, pad: Sequence[int], stride: tuple[int, int] = (1, 1)) -> Tensor:
    """Pad or crop, correlate every channel with `taps`, keep every stride-th sample (x, y)."""
    left, right, top, bottom = pad
    if taps.numel() == 1:
        x = pad_then_crop(x, pad)
        return x[:, :, :: stride[1], :: stride[0]] * taps
    padding = (top, left) if left == right >= 0 and top == bottom >= 0 else (0, 0)
    x = pad_then_crop(x, pad) if padding == (0, 0) else x
    weight = taps.expand(x.shape[1], 1, *taps.shape)
    return F.conv2d(x, weight, stride=(stride[1], stride[0]), padding=padding, groups=x.shape[1])


def pad_then_crop(x: Tensor, pad: Sequence[int]) -> Tensor:
    """Pad, then crop. F.pad alone would crop first, and fail if the crop is larger than the image before padding."""
    x = F.pad(x, [max(p, 0) for p in pad]) if max(pad) > 0 else x
    return F.pad(x, [min(p, 0) for p in pad]) if min(pad) < 0 else x


def _stretch(x: Tensor, taps: Tensor, up: tuple[int, int], pad: Sequence[int], down: tuple[int, int]) -> Tensor:
    """Insert zeros, pad, correlate and drop samples, without multiplying by the zeros."""
    (h, w), (kh, kw) = x.shape[2:], taps.shape
    size = h * up[1] + pad[2] + pad[3] - kh + 1, w * up[0] + pad[0] + pad[1] - kw + 1
    crop = kh - 1 - pad[2], kw - 1 - pad[0]  # from the start of what every sample reaches
    rest = size[0] - (h - 1) * up[1] - kh + 2 * crop[0], size[1] - (w - 1) * up[0] - kw + 2 * crop[1]
    is_transposed = min(crop) >= 0 and 0 <= rest[0] < up[1] and 0 <= rest[1] < up[0]
    if is_transposed and x.device.type == "cpu" and x.dtype == torch.float32:
        weight = taps.flip([0, 1]).expand(x.shape[1], 1, kh, kw)
        stride = up[1], up[0]
        y = F.conv_transpose2d(x, weight, stride=stride, padding=crop, output_padding=rest, groups=x.shape[1])
    else:  # oneDNN's transposed convolution takes 10 to 50 times as long in bfloat16
        y = _stretch_by_phase(x, taps, up, pad, size)
    return y[:, :, :: down[1], :: down[0]]


def _stretch_by_phase(
    x: Tensor, taps: Tensor, up: tuple[int, int], pad: Sequence[int], size: tuple[int, int]
) -> Tensor:
    """Upsample one phase at a time, using only the taps that meet samples."""
    (n, c, h, w), (kh, kw), (out_h, out_w) = x.shape, taps.shape, size
    y = torch.empty([n, c, out_h, out_w], dtype=x.dtype, device=x.device, memory_format=_layout(x))
    for row in range(min(up[1], out_h)):
        first_y, pad_y = phase(row, up[1], pad[2], kh, h, out_h)
        for column in range(min(up[0], out_w)):
            first_x, pad_x = phase(column, up[0], pad[0], kw, w, out_w)
            part = taps[first_y :: up[1], first_x :: up[0]]
            y[:, :, row :: up[1], column :: up[0]] = _correlate(x, part, (*pad_x, *pad_y)) if part.numel() else 0
    return y


def phase(n: int, up: int, before: int, taps: int, size: int, out_size: int) -> tuple[int, tuple[int, int]]:
    """Return the first tap that meets a sample and the padding of the input, for outputs n, n + up, ... of one axis."""
    first = (before - n) % up  # tap k of output n is at the zero-stuffed position n + k - before
    start = (n + first - before) // up  # the sample that this tap meets
    count = len(range(n, out_size, up))
    met = len(range(first, taps, up))
    return first, (-start, start + count - 1 + met - size)


def _layout(x: Tensor) -> torch.memory_format:
    channels_last = x.is_contiguous(memory_format=torch.channels_last) and not x.is_contiguous()
    return torch.channels_last if channels_last else torch.contiguous_format


def _pair(v: int | Sequence[int]) -> tuple[int, int]:
    x, y = (v, v) if isinstance(v, int) else v
    return x, y


def sides(pad: int | Sequence[int]) -> Sides:
    """Expand a padding given as a number, (x, y) or (left, right, top, bottom) to the last form."""
    if isinstance(pad, int):
        return pad, pad, pad, pad
    if len(pad) == 2:
        return pad[0], pad[0], pad[1], pad[1]
    left, right, top, bottom = pad
    return left, right, top, bottom


def _taps(f: Tensor | None) -> tuple[int, int]:
    return (1, 1) if f is None else (f.shape[-1], f.shape[0])
