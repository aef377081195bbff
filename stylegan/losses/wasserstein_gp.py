"""Wasserstein loss with gradient penalty and the drift term of ProGAN. Gulrajani et al. 2017; ProGAN App. A.1."""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor

DRIFT = 0.001  # keeps the scores of the critic near zero, since the loss depends only on their differences


def generator_loss(fake_logits: Tensor) -> Tensor:
    """Return -D(G(z)): [N, L] -> [N, L]."""
    return -fake_logits


def discriminator_loss_fake(fake_logits: Tensor) -> Tensor:
    """Return D(G(z)): [N, L] -> [N, L]."""
    return fake_logits


def discriminator_loss_real(real_logits: Tensor) -> Tensor:
    """Return -D(x) + drift * D(x)**2: [N, L] -> [N, L]."""
    return DRIFT * real_logits.square() - real_logits


def gradient_penalty(img: Tensor, logits: Tensor) -> Tensor:
    """Return (||d D(x) / dx|| - 1)**2 for each image; multiply by lambda = 10.

    Args:
        img: [N, C, H, W] with requires_grad, between real and generated images.
        logits: [N, L]; D(x) is the mean of those of an image.
    Returns: [N], differentiable.
    """
    (gradient,) = torch.autograd.grad(logits.mean(1).sum(), img, create_graph=True)
    return (gradient.flatten(1).norm(dim=1) - 1).square()


def label_loss(label_logits: Tensor, c: Tensor) -> Tensor:
    """Return the cross-entropy of the critic's label logits and c, both [N, c_dim] -> [N]. Odena et al. 2017."""
    return -(c * F.log_softmax(label_logits, 1)).sum(1)
