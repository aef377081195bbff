"""Hinge loss: D gains nothing from logits beyond the margin of 1. Lim and Ye 2017, Eq. 4."""

from __future__ import annotations

import torch.nn.functional as F
from torch import Tensor


def generator_loss(fake_logits: Tensor) -> Tensor:
    """Return -D(G(z)): [N, L] -> [N, L]."""
    return -fake_logits


def discriminator_loss_fake(fake_logits: Tensor) -> Tensor:
    """Return max(0, 1 + D(G(z))): [N, L] -> [N, L]."""
    return F.relu(1 + fake_logits)


def discriminator_loss_real(real_logits: Tensor) -> Tensor:
    """Return max(0, 1 - D(x)): [N, L] -> [N, L]."""
    return F.relu(1 - real_logits)
