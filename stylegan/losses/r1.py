"""R1 and R2 penalties: the squared gradient of the discriminator at real (R1) and at generated images (R2).

Mescheder et al. 2018, Eq. 9 and 10. The approximate form takes no second derivatives: Lin et al. 2025 (APT), Sec. 3.4.
"""

from __future__ import annotations

import torch
from torch import Tensor


def r1_penalty(img: Tensor, logits: Tensor) -> Tensor:
    """Return ||d D(x) / dx||**2 for each image; multiply by gamma / 2.

    Args:
        img: [N, C, H, W] with requires_grad, before any augmentation: real images for R1, generated ones for R2.
        logits: [N, L]; D(x) is the mean of those of an image.
    Returns: [N], differentiable.
    """
    (gradient,) = torch.autograd.grad(logits.mean(1).sum(), img, create_graph=True)
    return gradient.square().sum([1, 2, 3])


def approximate_r1_penalty(logits: Tensor, disturbed_logits: Tensor, sigma: float) -> Tensor:
    """Return ((D(x + sigma n) - D(x)) / sigma)**2 for each image, an estimate of `r1_penalty`; multiply by gamma / 2.

    The mean over the noise n is ||d D(x) / dx||**2 + O(sigma**2). It equals the weight gamma / (2 sigma**2) on the
    squared difference of the logits.

    Args:
        logits: [N, L]; D(x) is the mean of those of an image.
        disturbed_logits: [N, L], of D(x + sigma n) with standard normal n and the same augmentation.
        sigma: standard deviation of the disturbance, for images in [-1, 1].
    Returns: [N] in float32, differentiable.
    """
    slope = (disturbed_logits.float() - logits.float()) / sigma
    return slope.mean(1).square()
