"""R1 penalty: the squared gradient of the discriminator at real images. Mescheder et al. 2018, Eq. 9."""

from __future__ import annotations

import torch
from torch import Tensor


def r1_penalty(real_img: Tensor, real_logits: Tensor) -> Tensor:
    """Return ||d D(x) / dx||**2 for each image; multiply by gamma / 2.

    Args:
        real_img: [N, C, H, W] with requires_grad, before any augmentation.
        real_logits: D(real_img), [N, 1].
    Returns: [N], differentiable.
    """
    (gradient,) = torch.autograd.grad(real_logits.sum(), real_img, create_graph=True)
    return gradient.square().sum([1, 2, 3])
