"""Path length regularization: equal steps in w shall change the image by equal amounts. StyleGAN2 Sec. 3.2, Eq. 4."""

from __future__ import annotations

import math

import torch
from torch import Tensor


def path_lengths(img: Tensor, ws: Tensor, y: Tensor) -> Tensor:
    """||J_w^T y||, the root of the mean over layers.

    Args:
        img: [N, C, H, W], generated from `ws`.
        ws: [N, L, D] with requires_grad.
        y: unit Gaussian noise of the shape of img.
    Returns: [N], differentiable.
    """
    h, w = img.shape[2:]
    (gradient,) = torch.autograd.grad((img * y).sum() / math.sqrt(h * w), ws, create_graph=True)
    return gradient.square().sum(2).mean(1).sqrt()


def path_length_penalty(lengths: Tensor, mean: Tensor, decay: float = 0.01) -> tuple[Tensor, Tensor]:
    """(length - a)**2 with the running mean a, which includes this batch and passes gradients.

    Args:
        lengths: [N] of `path_lengths`.
        mean: scalar, the running mean so far, 0 at the start.
        decay: share of this batch in the new mean.
    Returns: penalty [N], new mean (scalar, detached)
    """
    a = mean.lerp(lengths.mean(), decay)
    return (lengths - a).square(), a.detach()


def corrected_mean_penalty(lengths: Tensor, mean: Tensor, decay: float, updates: int) -> tuple[Tensor, Tensor]:
    """(length - a)**2 with the mean a of the batches before this one; zero for the first.

    Args:
        lengths: [N] of `path_lengths`.
        mean: scalar, the running mean so far, 0 at the start, for which a makes up.
        decay: share of this batch in the new mean.
        updates: batches before this one.
    Returns: penalty [N], new mean (scalar, detached)
    """
    new = mean.lerp(lengths.detach().mean(), decay)
    if updates == 0:
        return lengths * 0, new
    return (lengths - mean / (1 - (1 - decay) ** updates)).square(), new
