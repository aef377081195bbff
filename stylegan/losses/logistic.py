"""Non-saturating logistic loss. Goodfellow et al. 2014; softplus(x) = -log(sigmoid(-x))."""

from __future__ import annotations

import torch.nn.functional as F
from torch import Tensor


def generator_loss(fake_logits: Tensor) -> Tensor:
    """Return -log sigmoid(D(G(z))): [N, L] -> [N, L]."""
    return F.softplus(-fake_logits)


def discriminator_loss_fake(fake_logits: Tensor) -> Tensor:
    """Return -log(1 - sigmoid(D(G(z)))): [N, L] -> [N, L]."""
    return F.softplus(fake_logits)


def discriminator_loss_real(real_logits: Tensor) -> Tensor:
    """Return -log sigmoid(D(x)): [N, L] -> [N, L]."""
    return F.softplus(-real_logits)
