"""Bilinear sampling that can be differentiated any number of times with respect to the image.

Older releases of torch lack the second derivative of grid_sample. Sampling is linear in the image, so its gradient is
the transposed map, and the gradient of that map is sampling again.
"""

from __future__ import annotations

import torch
from torch import Tensor

from stylegan.ops.derivatives import apply, differentiable, keep

_BILINEAR, _ZEROS, _ALIGN_CORNERS = 0, 0, False


def sample_bilinear(images: Tensor, grid: Tensor) -> Tensor:
    """Sample `images` bilinearly at the positions of `grid`; 0 outside the image. The grid gets no gradient.

    Args:
        images: [N, C, H, W].
        grid: [N, H2, W2, 2] of (x, y), where -1 and 1 are the outer edges of the border pixels.
    Returns: [N, C, H2, W2]
    """
    return apply(_Sample, images, grid)


@differentiable
class _Sample(torch.autograd.Function):
    """Sampling: images -> samples."""

    generate_vmap_rule = True

    @staticmethod
    def forward(images, grid):
        return torch.ops.aten.grid_sampler_2d(images, grid, _BILINEAR, _ZEROS, _ALIGN_CORNERS)

    @staticmethod
    def setup_context(ctx, inputs, output):
        images, grid = inputs
        ctx.size = images.shape[2:]
        keep(ctx, grid)

    @staticmethod
    def backward(ctx, grad):
        (grid,) = ctx.saved_tensors
        return apply(_Spread, grad, grid, *ctx.size), None

    @staticmethod
    def tangent(ctx, images, _):
        (grid,) = ctx.saved_tensors
        return apply(_Sample, images, grid)


@differentiable
class _Spread(torch.autograd.Function):
    """Transposed sampling: adds every sample to the four pixels that it was taken from, with the same weights."""

    generate_vmap_rule = True

    @staticmethod
    def forward(samples, grid, height, width):
        # only the shape matters; the values would be used for the gradient of the grid
        images = samples.new_zeros([]).expand(*samples.shape[:2], height, width)
        spread, _ = torch.ops.aten.grid_sampler_2d_backward(
            samples.contiguous(), images, grid, _BILINEAR, _ZEROS, _ALIGN_CORNERS, [True, False]
        )
        return spread

    @staticmethod
    def setup_context(ctx, inputs, output):
        _, grid, *ctx.size = inputs
        keep(ctx, grid)

    @staticmethod
    def backward(ctx, grad):
        (grid,) = ctx.saved_tensors
        return apply(_Sample, grad, grid), None, None, None

    @staticmethod
    def tangent(ctx, samples, *_):
        (grid,) = ctx.saved_tensors
        return apply(_Spread, samples, grid, *ctx.size)
