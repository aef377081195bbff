"""The Monge Inception Distance (MIND): the sliced Wasserstein distance of two sets of features.

Berthet et al. 2026, arXiv 2605.06797. Features are projected on random directions. Along each of them, the best
transport of one set to the other pairs the sorted values.
"""

from __future__ import annotations

import numpy as np
import torch
from torch import Tensor

from stylegan.errors import ShapeError
from stylegan.metrics.protocol import Score
from stylegan.metrics.subject import Subject

PROJECTIONS = 1000  # the paper finds that 100 to 1,000 suffice
_BLOCK = 100  # projections that are in memory together


def monge_distance(x: Tensor, y: Tensor, *, projections: int = PROJECTIONS, seed: int = 0) -> float:
    """Return 3 F times the mean squared 2-Wasserstein distance of x [N, F] and y [M, F] along random unit vectors.

    The factor makes the distance of two sets that differ by a shift three times the squared length of the shift.

    Args:
        x, y: of the larger set, as many random features take part as the smaller one has.
        seed: of the directions, and of the choice of features.
    Raises: ShapeError for features of different widths or an empty set.
    """
    if x.ndim != 2 or x.shape[1:] != y.shape[1:] or min(len(x), len(y)) < 1:
        raise ShapeError(f"a Monge distance takes features [N, F] of one width, got {list(x.shape)} and "
                         f"{list(y.shape)}.")  # fmt: skip
    rng, n, width = np.random.RandomState(seed), min(len(x), len(y)), x.shape[1]
    directions = torch.from_numpy(rng.randn(projections, width))
    directions /= directions.norm(dim=1, keepdim=True)
    x, y = (_chosen(features, n, rng).double() for features in (x, y))
    squares = [
        ((u.to(x.device) @ x.mT).sort().values - (u.to(x.device) @ y.mT).sort().values).square().mean(1)
        for u in directions.split(_BLOCK)
    ]
    return 3 * width * float(torch.cat(squares).mean())


def _chosen(features: Tensor, n: int, rng: np.random.RandomState) -> Tensor:
    return features if len(features) == n else features[np.sort(rng.choice(len(features), n, replace=False))]


def measure(subject: Subject) -> Score:
    """Measure the Monge Inception Distance of a subject from as many of its real images."""
    subject.check(least=2)
    reals, fakes = subject.real_features(), subject.fakes()
    value = subject.on_main(lambda: monge_distance(fakes, reals, seed=subject.seed))
    details = {"projections": PROJECTIONS, "compared": min(len(reals), len(fakes))}
    return subject.score("mind", value, reals=len(reals), details=details)
