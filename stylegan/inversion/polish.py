"""The end of a search in W for images that the network itself drew: the steps of Levenberg and Marquardt."""

from __future__ import annotations

from collections.abc import Callable

import torch
import torch.nn.functional as F
from torch import Tensor

from stylegan.inversion.w_statistics import WStatistics
from stylegan.networks.generator import FamilyGenerator

STEPS = 12  # at most; from 20 dB, six are enough
NEAR_DB, EXACT_DB, ENOUGH_DB = 15.0, 30.0, 40.0  # to begin, to keep the result, and to end
LEAST_GAIN_DB = 0.3  # of a step; less, and the network cannot draw the image
SIDE = 64  # pixels per side of the images that are compared, at most
BATCH = 32
DIFFERENCE = 0.02  # of a coordinate, in which random w have unit variance


@torch.no_grad()
def polish(G: FamilyGenerator, targets: Tensor, statistics: WStatistics, x: Tensor) -> tuple[Tensor, Tensor]:
    """Return coordinates that draw their targets nearly exactly, where there are any, and which ones those are.

    Adam stops where a few coordinates change the image much more than all others. These steps solve for the change
    of all coordinates at once, as if the image depended on them linearly; the derivatives are differences of images.
    An image that does not come within `EXACT_DB` keeps its coordinates: pixels alone would lead away from the images
    that the network draws.

    Args:
        targets: [N, C, R, R] in [-1, 1], known everywhere: with part of an image, other images are as close.
        x: [N, 1, w_dim], the result of a search.
    Returns: coordinates [N, 1, w_dim], and [N] bool.
    """

    def draw(x: Tensor) -> Tensor:
        ws = statistics.w(x).unsqueeze(1).expand(-1, G.num_ws, -1)
        images = [G.synthesis(part, noise_mode="const") for part in ws.split(BATCH)]
        return _pixels(torch.cat(images).clamp(-1, 1))  # as in the targets

    x, exact = x.clone(), torch.zeros(len(x), dtype=torch.bool, device=x.device)
    for i, target in enumerate(_pixels(targets)):
        found = _nearest(draw, target, x[i, 0])
        if found is not None:
            x[i, 0], exact[i] = found, True
    return x, exact


def _nearest(draw: Callable[[Tensor], Tensor], target: Tensor, x: Tensor) -> Tensor | None:
    """Return the coordinates near x [D] that draw the target [P], or None if none come within `EXACT_DB`."""
    rest = target - draw(x[None])[0]
    near, damping = _db(rest), 0.02
    if near < NEAR_DB:
        return None
    unit = torch.eye(len(x), device=x.device)
    for _ in range(STEPS):
        slopes = (draw(x + DIFFERENCE * unit) - (target - rest)) / DIFFERENCE  # [D, P]
        products, before = slopes @ slopes.t(), near
        for _ in range(4):
            change = torch.linalg.solve(products + damping * products.diagonal().mean() * unit, slopes @ rest)
            if _db(left := target - draw((x + change)[None])[0]) > near:
                x, rest, near, damping = x + change, left, _db(left), damping / 5
                break
            damping *= 5
        if near > ENOUGH_DB or near < before + LEAST_GAIN_DB:
            break
    return x if near >= EXACT_DB else None


def _pixels(images: Tensor) -> Tensor:
    """Return the pixels of images [N, C, R, R], reduced to at most `SIDE` per side, [N, P]."""
    return F.adaptive_avg_pool2d(images, min(images.shape[-1], SIDE)).flatten(1)


def _db(difference: Tensor) -> float:
    """Return the peak signal-to-noise ratio of pixels in [-1, 1]."""
    return float(10 * torch.log10(4 / difference.square().mean()))
