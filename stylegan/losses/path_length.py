"""Path length regularization: equal steps in w should change the image by equal amounts. StyleGAN2 Sec. 3.2, Eq. 4."""

from __future__ import annotations

import math

import torch
from torch import Tensor


def path_lengths(img: Tensor, ws: Tensor, y: Tensor) -> Tensor:
    """Return ||J_w^T y|| for each image: the root of the mean square over layers.

    Args:
        img: [N, C, H, W], generated from `ws`.
        ws: [N, L, D] with requires_grad.
        y: unit Gaussian noise with the shape of img.
    Returns: [N], differentiable.
    """
    h, w = img.shape[2:]
    (gradient,) = torch.autograd.grad((img * y).sum() / math.sqrt(h * w), ws, create_graph=True)
    return gradient.square().sum(2).mean(1).sqrt()


def path_length_penalty(lengths: Tensor, mean: Tensor, decay: float = 0.01) -> tuple[Tensor, Tensor]:
    """Return (length - a)**2 with the running mean a, which includes this batch and passes gradients.

    Args:
        lengths: [N], from `path_lengths`.
        mean: scalar, the running mean so far; 0 at the start of training.
        decay: weight of this batch in the new mean.
    Returns: the penalty [N] and the new mean (scalar, detached).
    """
    a = mean.lerp(lengths.mean(), decay)
    return (lengths - a).square(), a.detach()


def corrected_mean_penalty(lengths: Tensor, mean: Tensor, decay: float, updates: int) -> tuple[Tensor, Tensor]:
    """Return (length - a)**2 with the mean a of all batches before this one; zero for the first batch.

    Args:
        lengths: [N], from `path_lengths`.
        mean: scalar, the running mean so far. It starts at 0, and a is corrected for this bias.
        decay: weight of this batch in the new mean.
        updates: number of batches before this one.
    Returns: the penalty [N] and the new mean (scalar, detached).
    """
    new = mean.lerp(lengths.detach().mean(), decay)
    if updates == 0:
        return lengths * 0, new
    return (lengths - mean / (1 - (1 - decay) ** updates)).square(), new
