"""A first guess of w: a linear regression on thumbnails of the network's own images, in closed form."""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor

from stylegan.inversion.goal import Goal
from stylegan.inversion.w_statistics import WStatistics, random_ws
from stylegan.networks.generator import FamilyGenerator
from stylegan.sampling.labels import Label

THUMBNAIL = 32  # pixels per side from which w is estimated
RIDGE = 0.1  # of the regression, relative to the mean squared length of a thumbnail


@torch.no_grad()
def estimate(G: FamilyGenerator, goal: Goal, statistics: WStatistics, label: Label | None, examples: int) -> Tensor:
    """Return coordinates of the targets by a ridge regression on thumbnails of random images, [N, 1, w_dim]."""
    ws = random_ws(G, label, examples)
    images = torch.cat([goal.known(G.synthesis(part, noise_mode="const")) for part in ws.split(32)])
    seen, wanted = thumbnails(images), thumbnails(goal.pixels)
    mean = seen.mean(0)
    seen, wanted = seen - mean, wanted - mean
    weights = regression(seen, statistics.coordinates(ws[:, 0]))
    return (wanted @ seen.t() @ weights.to(wanted)).unsqueeze(1)


def regression(seen: Tensor, known: Tensor) -> Tensor:
    """Return the weights of a ridge regression in its dual form, with which `x @ seen.t() @ weights` estimates.

    Args:
        seen: what was observed, [N, F] with the mean 0.
        known: what is to be estimated from it, [N, D].
    Returns: [N, D] float64.
    """
    products = (seen @ seen.t()).double()
    ridge = RIDGE * products.diagonal().mean() * torch.eye(len(seen), dtype=torch.float64, device=seen.device)
    return torch.linalg.solve(products + ridge, known.double())


def thumbnails(images: Tensor) -> Tensor:
    """Return the pixels of images of any size reduced to `THUMBNAIL` per side, [N, C * side * side]."""
    return F.adaptive_avg_pool2d(images, min(images.shape[-1], THUMBNAIL)).flatten(1)
