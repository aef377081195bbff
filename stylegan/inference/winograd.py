"""Convolution with 3x3 kernels in a quarter of the products: F(4x4, 3x3) of Winograd.

A tile of 4x4 pixels depends on 6x6 pixels. With linear maps of these, of the kernel and of the products, a tile takes
36 products per pair of channels instead of 144; each of the 36 is a matrix product over channels. The maps act on rows
and columns alike, so each is applied twice.

Source: Lavin and Gray, "Fast Algorithms for Convolutional Neural Networks", arXiv:1509.09308, section 4.3.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import cache

import torch
import torch.nn.functional as F
from torch import Tensor

from stylegan.machine.compile import compile_or_eager

TILE = 4  # pixels of the result; it depends on 6 pixels of the input
_KERNEL_MAP = [  # from the 3 taps of a row to its 6 factors
    [1 / 4, 0, 0],
    [-1 / 6, -1 / 6, -1 / 6],
    [-1 / 6, 1 / 6, -1 / 6],
    [1 / 24, 1 / 12, 1 / 6],
    [1 / 24, -1 / 12, 1 / 6],
    [0, 0, 1],
]


def winograd_weight(weight: Tensor) -> Tensor:
    """Return the factors of a kernel for `winograd_conv2d`: [O, I, 3, 3] float32 -> [36, O, I], four times as large."""
    kernel_map = weight.new_tensor(_KERNEL_MAP)
    return (torch.kron(kernel_map, kernel_map) @ weight.flatten(2).flatten(0, 1).t()).unflatten(1, weight.shape[:2])


def winograd_conv2d(x: Tensor, weight: Tensor, padding: int = 1) -> Tensor:
    """Return `F.conv2d(x, kernel, padding=padding)` up to rounding.

    Args:
        x: [N, I, H, W] float32, fastest in channels_last.
        weight: [36, O, I], from `winograd_weight(kernel)`.
    Returns: [N, O, H + 2 * padding - 2, W + 2 * padding - 2] in channels_last.
    """
    return _in_tiles(x, weight, padding, _convolve_tiles)


def compiled_winograd_conv2d(x: Tensor, weight: Tensor, padding: int = 1) -> Tensor:
    """`winograd_conv2d` for use in a compiled function, which pads the tiles in the pass that makes x."""
    return _in_tiles(x, weight, padding, _opaque_convolve_tiles)


def _in_tiles(x: Tensor, weight: Tensor, padding: int, convolve_tiles: Callable[[Tensor, Tensor], Tensor]) -> Tensor:
    n, channels, *sizes = x.shape
    height, width = (size + 2 * padding - 2 for size in sizes)
    rows, columns = (-(-size // TILE) + 1 for size in (height, width))  # a window reaches into the next tile
    bottom, right = (TILE * tiles - size - padding for tiles, size in zip((rows, columns), sizes, strict=True))
    x = F.pad(x.permute(0, 2, 3, 1), [0, 0, padding, right, padding, bottom])
    y = convolve_tiles(x.reshape(n, rows, TILE, columns, TILE, channels), weight)
    return y[:, :height, :width].permute(0, 3, 1, 2)


def _convolve_tiles(x: Tensor, weight: Tensor) -> Tensor:
    """x [N, rows + 1, 4, columns + 1, 4, I], weight [36, O, I] -> [N, 4 * rows, 4 * columns, O]"""
    return _pixels(_products(_factors(x), weight))


@torch.library.custom_op("stylegan::winograd", mutates_args=())
def _opaque_convolve_tiles(x: Tensor, weight: Tensor) -> Tensor:
    """`_convolve_tiles` with compiled maps. An outer compiler would fuse what follows into each of the 36 products."""
    factors, pixels = _compiled_maps()
    return pixels(_products(factors(x), weight))


@_opaque_convolve_tiles.register_fake
def _(x: Tensor, weight: Tensor) -> Tensor:
    n, rows, _, columns, _, _ = x.shape
    return x.new_empty(n, TILE * (rows - 1), TILE * (columns - 1), weight.shape[1])


@cache
def _compiled_maps() -> tuple[Callable[[Tensor], Tensor], Callable[[Tensor], Tensor]]:
    """Return `_factors` and `_pixels`, compiled for all sizes."""
    return compile_or_eager(_factors, dynamic=True), compile_or_eager(_pixels, dynamic=True)


def _products(factors: Tensor, weight: Tensor) -> Tensor:
    """factors [6, 6, N, rows, columns, I], weight [36, O, I] -> [6, 6, N, rows, columns, O]"""
    products = torch.bmm(factors.flatten(2, 4).flatten(0, 1), weight.transpose(1, 2))
    return products.reshape(*factors.shape[:-1], -1)


def _factors(x: Tensor) -> Tensor:
    """x [N, rows + 1, 4, columns + 1, 4, I] -> [6, 6, N, rows, columns, I]"""
    x = torch.stack(_input_map([*x[:, :, :, :-1].unbind(4), *x[:, :, :, 1:, :2].unbind(4)]))
    return torch.stack(_input_map([*x[:, :, :-1].unbind(3), *x[:, :, 1:, :2].unbind(3)]))


def _pixels(products: Tensor) -> Tensor:
    """[6, 6, N, rows, columns, O] -> [N, 4 * rows, 4 * columns, O]"""
    y = torch.stack(_output_map(products.unbind(0)), 3).flatten(2, 3)
    return torch.stack(_output_map(y.unbind(0)), 3).flatten(2, 3)


def _input_map(d: list[Tensor]) -> list[Tensor]:
    """Map the 6 pixels of a row to its 6 factors."""
    even, odd = torch.sub(d[4], d[2], alpha=4), torch.sub(d[3], d[1], alpha=4)
    even2, odd2 = d[4] - d[2], d[3] - d[1]
    return [
        torch.add(even2, d[0] - d[2], alpha=4),  # 4 d0 - 5 d2 + d4
        even + odd,
        even - odd,
        torch.add(even2, odd2, alpha=2),
        torch.sub(even2, odd2, alpha=2),
        torch.sub(d[5] - d[3], odd2, alpha=4),  # 4 d1 - 5 d3 + d5
    ]


def _output_map(m: tuple[Tensor, ...]) -> list[Tensor]:
    """Map the 6 products of a row to its 4 pixels."""
    even, odd, even2, odd2 = m[1] + m[2], m[1] - m[2], m[3] + m[4], m[3] - m[4]
    return [
        m[0] + even + even2,
        torch.add(odd, odd2, alpha=2),
        torch.add(even, even2, alpha=4),
        torch.add(odd, odd2, alpha=8) + m[5],
    ]
