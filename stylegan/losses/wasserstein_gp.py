"""Wasserstein loss with gradient penalty, drift and label loss. Gulrajani et al. 2017; ProGAN App. A.1 and B.

The discriminator minimises D(fake) - D(real) + 10 * gradient penalty + 0.001 * drift, the generator -D(fake); where
there are labels, both also minimise the label loss.
"""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor


def generator_loss(fake_scores: Tensor) -> Tensor:
    """-D(G(z)): [N, 1] -> [N, 1]"""
    return -fake_scores


def discriminator_loss_fake(fake_scores: Tensor) -> Tensor:
    """D(G(z)): [N, 1] -> [N, 1]"""
    return fake_scores


def discriminator_loss_real(real_scores: Tensor) -> Tensor:
    """-D(x): [N, 1] -> [N, 1]"""
    return -real_scores


def gradient_penalty(D: Callable[[Tensor], Tensor], real_img: Tensor, fake_img: Tensor, t: Tensor) -> Tensor:
    """(||d D(x) / dx||_2 - 1)**2 at a point between each real and generated picture; multiply by 10.

    Args:
        D: pictures to scores [N, 1], or to more numbers of which the first are the scores.
        real_img, fake_img: [N, C, H, W].
        t: [N] in [0, 1], uniform: 0 is the real picture, 1 the generated one.
    Returns: [N], differentiable.
    Source: Gulrajani et al. 2017 Eq. 3.
    """
    x = real_img.detach().lerp(fake_img.detach(), t[:, None, None, None].to(real_img.dtype)).requires_grad_(True)
    (gradient,) = torch.autograd.grad(D(x)[:, 0].sum(), x, create_graph=True)
    return (torch.linalg.vector_norm(gradient, dim=[1, 2, 3]) - 1).square()


def drift(real_scores: Tensor) -> Tensor:
    """D(x)**2, which keeps scores near zero; multiply by 0.001: [N, 1] -> [N, 1]"""
    return real_scores.square()


def label_loss(label_logits: Tensor, c: Tensor) -> Tensor:
    """Cross entropy of the guessed labels, Odena et al. 2017: logits and one-hot labels [N, c_dim] -> [N, 1]"""
    return -(c * label_logits.log_softmax(1)).sum(1, keepdim=True)
