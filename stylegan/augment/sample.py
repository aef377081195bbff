"""Bilinear sampling that can be differentiated any number of times with respect to the image.

Older releases of torch lack the second derivative of grid_sample. Sampling is linear in the image, so its gradient is
the transposed map, and the gradient of that map is sampling again.
"""

from __future__ import annotations

import torch
from torch import Tensor

_BILINEAR, _ZEROS, _ALIGN_CORNERS = 0, 0, False


def sample_bilinear(images: Tensor, grid: Tensor) -> Tensor:
    """Sample `images` bilinearly at the positions of `grid`; 0 outside the image. The grid gets no gradient.

    Args:
        images: [N, C, H, W].
        grid: [N, H2, W2, 2] of (x, y), where -1 and 1 are the outer edges of the border pixels.
    Returns: [N, C, H2, W2]
    """
    return _Sample.apply(images, grid)


class _Sample(torch.autograd.Function):
    """Sampling: images -> samples."""

    @staticmethod
    def forward(ctx, images, grid):
        ctx.save_for_backward(grid)
        ctx.size = images.shape[2:]
        return torch.ops.aten.grid_sampler_2d(images, grid, _BILINEAR, _ZEROS, _ALIGN_CORNERS)

    @staticmethod
    def backward(ctx, grad):
        (grid,) = ctx.saved_tensors
        return _Spread.apply(grad, grid, ctx.size), None


class _Spread(torch.autograd.Function):
    """Transposed sampling: adds every sample to the four pixels that it was taken from, with the same weights."""

    @staticmethod
    def forward(ctx, samples, grid, size):
        ctx.save_for_backward(grid)
        # only the shape matters; the values would be used for the gradient of the grid
        images = samples.new_zeros([]).expand(*samples.shape[:2], *size)
        spread, _ = torch.ops.aten.grid_sampler_2d_backward(
            samples.contiguous(), images, grid, _BILINEAR, _ZEROS, _ALIGN_CORNERS, [True, False]
        )
        return spread

    @staticmethod
    def backward(ctx, grad):
        (grid,) = ctx.saved_tensors
        return _Sample.apply(grad, grid), None, None
