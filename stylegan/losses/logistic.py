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


def gradient_ratio(fake_logits: Tensor) -> Tensor:
    """Return the derivative of `generator_loss` by the logit, divided by that of `discriminator_loss_fake`: [N, 1].

    It is -sigmoid(-x) / sigmoid(x) = -exp(-x). Logits are limited to ±60, where the discriminator's own gradient nears
    the smallest number of float32. The relativistic loss has the same ratio at x = D(G(z)) - D(x_real).
    """
    return -(-fake_logits.clamp(-60, 60)).exp()
