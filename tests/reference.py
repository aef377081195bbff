"""Slow twins of the fast operations. Each reads like its equation and leaves the derivatives to autograd."""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor

SELU_SCALE, SELU_ALPHA = 1.0507009873554805, 1.6732632423543772  # Klambauer et al. 2017

ACTIVATIONS = {
    "linear": (lambda x, _: x, 1.0),
    "relu": (lambda x, _: torch.where(x > 0, x, 0 * x), 2**0.5),
    "lrelu": (lambda x, alpha: torch.where(x > 0, x, alpha * x), 2**0.5),
    "tanh": (lambda x, _: (x.exp() - (-x).exp()) / (x.exp() + (-x).exp()), 1.0),
    "sigmoid": (lambda x, _: 1 / (1 + (-x).exp()), 1.0),
    "elu": (lambda x, _: torch.where(x > 0, x, x.exp() - 1), 1.0),
    "selu": (lambda x, _: SELU_SCALE * torch.where(x > 0, x, SELU_ALPHA * (x.exp() - 1)), 1.0),
    "softplus": (lambda x, _: (1 + x.exp()).log(), 1.0),
    "swish": (lambda x, _: x / (1 + (-x).exp()), 2**0.5),
}


def pair(v) -> tuple[int, int]:
    return (v, v) if isinstance(v, int) else (v[0], v[1])


def sides(pad) -> tuple[int, int, int, int]:
    if isinstance(pad, int):
        return pad, pad, pad, pad
    return (pad[0], pad[0], pad[1], pad[1]) if len(pad) == 2 else tuple(pad)


def taps2d(f: Tensor | None) -> Tensor:
    """Return the [Kh, Kw] taps of any filter; a separable filter becomes its outer product with itself."""
    if f is None:
        return torch.ones(1, 1)
    return f.outer(f) if f.ndim == 1 else f


def upfirdn2d(x, f, *, up=1, down=1, pad=0, flip_filter=False, gain=1.0):
    """Return every down-th v[n] = sum_k f[k] u[n + K - 1 - k], with the zero-stuffed and padded image u."""
    (ux, uy), (dx, dy), f = pair(up), pair(down), taps2d(f).to(x.dtype)
    n, c, h, w = x.shape
    u = x.new_zeros([n, c, h * uy, w * ux])
    u[:, :, ::uy, ::ux] = x
    u = F.pad(u, [max(p, 0) for p in sides(pad)])  # first pad, then crop: F.pad would crop first
    u = F.pad(u, [min(p, 0) for p in sides(pad)])
    (kh, kw), (height, width) = f.shape, u.shape[2:]
    height, width = height - kh + 1, width - kw + 1
    v = torch.zeros([])
    for i in range(kh):
        for j in range(kw):
            row, column = (i, j) if flip_filter else (kh - 1 - i, kw - 1 - j)
            v = v + f[i, j] * u[:, :, row : row + height, column : column + width]
    return gain * v[:, :, ::dy, ::dx]


def upsample2d(x, f, *, up=2):
    """Zero-stuff and filter, with the filter centered on the samples and the brightness preserved."""
    (kh, kw), (ux, uy) = taps2d(f).shape, pair(up)
    pad = ((kw + ux - 1) // 2, (kw - ux) // 2, (kh + uy - 1) // 2, (kh - uy) // 2)
    return upfirdn2d(x, f, up=up, pad=pad, gain=ux * uy)


def downsample2d(x, f, *, down=2):
    """Filter and decimate, with the filter centered on each group of samples that becomes one."""
    (kh, kw), (dx, dy) = taps2d(f).shape, pair(down)
    pad = ((kw - dx + 1) // 2, (kw - dx) // 2, (kh - dy + 1) // 2, (kh - dy) // 2)
    return upfirdn2d(x, f, down=down, pad=pad)


def resample_conv2d(x, weight, f=None, *, up=1, down=1, padding=0, flip_weight=True):
    """Zero-stuff, pad once, filter, valid convolution, [filter,] decimate."""
    kh, kw = taps2d(f).shape
    left, right, top, bottom = sides(padding)
    if up > 1:
        left, right = left + (kw + up - 1) // 2, right + (kw - up) // 2
        top, bottom = top + (kh + up - 1) // 2, bottom + (kh - up) // 2
    if down > 1:
        left, right = left + (kw - down + 1) // 2, right + (kw - down) // 2
        top, bottom = top + (kh - down + 1) // 2, bottom + (kh - down) // 2
    first = f if up > 1 or down > 1 else None
    x = upfirdn2d(x, first, up=up, pad=(left, right, top, bottom), gain=up**2)
    x = F.conv2d(x, weight if flip_weight else weight.flip([2, 3]))
    if up > 1 and down > 1:
        x = upfirdn2d(x, f)
    return x[:, :, ::down, ::down]


def modulated_conv2d(
    x, weight, s, *, up=1, f=None, padding=None, demodulate=True, flip_weight=True, input_gain=None, eps=1e-8
):
    """StyleGAN2 Eqs. 1-3 with a separate kernel [O, I, K, K] for every sample."""
    w = weight[None] * s[:, None, :, None, None]  # Eq. 1, [N, O, I, K, K]
    if demodulate:
        sigma = (w.square().sum([2, 3, 4], keepdim=True) + eps).sqrt()  # Eq. 2
        w = w / sigma  # Eq. 3
    if input_gain is not None:
        w = w * torch.as_tensor(input_gain).expand_as(s)[:, None, :, None, None]
    padding = weight.shape[-1] // 2 if padding is None else padding
    options = {"up": up, "padding": padding, "flip_weight": flip_weight}
    w = w.to(x.dtype)
    return torch.cat([resample_conv2d(x[n : n + 1], w[n], f, **options) for n in range(len(x))])


def bias_act(x, b=None, *, dim=1, act="linear", alpha=None, gain=None, clamp=None):
    """Return clip(gain * act(x + b))."""
    function, default_gain = ACTIVATIONS[act]
    if b is not None:
        x = x + b.to(x.dtype).reshape([-1 if i == dim else 1 for i in range(x.ndim)])
    y = (default_gain if gain is None else gain) * function(x, 0.2 if alpha is None else alpha)
    if clamp is not None:
        y = torch.where(y.abs() < clamp, y, clamp * y.detach().sign())
    return y


def filtered_lrelu(x, fu=None, fd=None, b=None, *, up=1, down=1, pad=0, gain=2**0.5, slope=0.2, clamp=None, flip=False):
    """Add the bias, zero-stuff, filter, apply leaky ReLU at the high rate, filter, decimate."""
    x = bias_act(x, b)
    x = upfirdn2d(x, fu, up=up, pad=pad, flip_filter=flip, gain=up**2)
    x = bias_act(x, act="lrelu", alpha=slope, gain=gain, clamp=clamp)
    return upfirdn2d(x, fd, down=down, flip_filter=flip)


def minibatch_std(x, group_size=4, num_channels=1):
    """Append the deviation within groups; image n is in the group of all m = n modulo the number of groups."""
    n, c, h, w = x.shape
    num_groups = n // (n if group_size is None else min(group_size, n))
    per_statistic = c // num_channels
    rows = []
    for image in range(n):
        group = x[image % num_groups :: num_groups]
        statistics = []
        for k in range(num_channels):
            part = group[:, k * per_statistic : (k + 1) * per_statistic]
            variance = (part - part.mean(0)).square().mean(0)
            statistics.append((variance + 1e-8).sqrt().mean())
        rows.append(torch.stack(statistics)[:, None, None].expand(-1, h, w))
    return torch.cat([x, torch.stack(rows)], 1)


def pixel_norm(x, *, dim=1, eps=1e-8):
    """Divide every vector along `dim` by its root mean square."""
    return (
        torch.stack([v / (v.square().mean() + eps).sqrt() for v in _vectors(x, dim)])
        .unflatten(0, x.movedim(dim, -1).shape[:-1])
        .movedim(-1, dim)
    )


def _vectors(x: Tensor, dim: int):
    return x.movedim(dim, -1).flatten(0, -2).unbind(0)
