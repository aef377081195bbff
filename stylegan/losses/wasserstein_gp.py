"""Wasserstein loss with gradient penalty, and what ProGAN adds. Gulrajani et al. 2017; ProGAN App. A.1."""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor

DRIFT = 0.001  # keeps the scores of the critic, of which only differences count, near zero


def generator_loss(fake_logits: Tensor) -> Tensor:
    """-D(G(z)): [N, 1] -> [N, 1]"""
    return -fake_logits


def discriminator_loss_fake(fake_logits: Tensor) -> Tensor:
    """D(G(z)): [N, 1] -> [N, 1]"""
    return fake_logits


def discriminator_loss_real(real_logits: Tensor) -> Tensor:
    """-D(x) + drift * D(x)**2: [N, 1] -> [N, 1]"""
    return DRIFT * real_logits.square() - real_logits


def gradient_penalty(img: Tensor, logits: Tensor) -> Tensor:
    """(||d D(x) / dx|| - 1)**2 per image; multiply by lambda = 10.

    Args:
        img: [N, C, H, W] with requires_grad, between real and generated images.
        logits: D(img), [N, 1].
    Returns: [N], differentiable.
    """
    (gradient,) = torch.autograd.grad(logits.sum(), img, create_graph=True)
    return (gradient.flatten(1).norm(dim=1) - 1).square()


def label_loss(label_logits: Tensor, c: Tensor) -> Tensor:
    """Cross-entropy of what the critic reads and the label c, both [N, c_dim] -> [N]. Odena et al. 2017."""
    return -(c * F.log_softmax(label_logits, 1)).sum(1)
