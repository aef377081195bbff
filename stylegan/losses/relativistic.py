"""Relativistic pairing loss (RpGAN): D compares each generated image with a real one. R3GAN Sec. 2.1, Eq. 2.

Only differences of logits count, so D cannot put all generated images on one side of a single boundary and leave the
modes that they miss unpunished.
"""

from __future__ import annotations

import torch.nn.functional as F
from torch import Tensor


def generator_loss(fake_logits: Tensor, real_logits: Tensor) -> Tensor:
    """Return -log sigmoid(D(G(z)) - D(x)) for each pair: two [N, L] -> [N, L]."""
    return F.softplus(real_logits - fake_logits)


def discriminator_loss(fake_logits: Tensor, real_logits: Tensor) -> Tensor:
    """Return -log sigmoid(D(x) - D(G(z))) for each pair: two [N, L] -> [N, L]."""
    return F.softplus(fake_logits - real_logits)
