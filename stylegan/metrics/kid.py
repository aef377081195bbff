"""The kernel distance of two sets of features (KID), an unbiased estimate of a maximum mean discrepancy.

Binkowski et al. 2018, Sec. 4: the mean over random subsets, with a polynomial kernel of degree three.
"""

from __future__ import annotations

import numpy as np
import torch
from torch import Tensor

from stylegan.errors import ShapeError
from stylegan.metrics.protocol import Score
from stylegan.metrics.subject import Subject

SUBSETS = 100
SUBSET_SIZE = 1000  # images of each side, fewer if there are not as many


def kernel_distance(
    x: Tensor, y: Tensor, *, subsets: int = SUBSETS, subset_size: int = SUBSET_SIZE, seed: int = 0
) -> float:
    """Return the mean squared MMD of random subsets of x [N, F] and y [M, F], computed in float64.

    It is unbiased, so it can be slightly negative for sets that are alike.

    Args:
        subset_size: images drawn of each set without repetition; at most the smaller set.
        seed: of the subsets.
    Raises: ShapeError for features of different widths, or fewer than two.
    """
    if x.shape[1:] != y.shape[1:] or min(len(x), len(y)) < 2:
        raise ShapeError(f"a kernel distance takes features [N >= 2, F] of one width, got {list(x.shape)} and "
                         f"{list(y.shape)}.")  # fmt: skip
    m = min(len(x), len(y), subset_size)
    rng = np.random.RandomState(seed)
    total = 0.0
    for _ in range(subsets):
        a = x[rng.choice(len(x), m, replace=False)]
        b = y[rng.choice(len(y), m, replace=False)]
        total += squared_mmd(a, b)
    return total / subsets


def squared_mmd(x: Tensor, y: Tensor) -> float:
    """Return the unbiased estimate of the squared MMD of two sets of m features, [m, F] each.

    Pairs of a feature with itself are left out of both sets, and kept between them, as in the official tools.
    """
    m, (x, y) = len(x), (x.double(), y.double())
    within = sum((k.sum() - k.trace()) / (m * (m - 1)) for k in (_kernel(x, x), _kernel(y, y)))
    return float(within - 2 * _kernel(x, y).mean())


def _kernel(a: Tensor, b: Tensor) -> Tensor:
    """Compute k(a, b) = (aᵀb / F + 1)³ of all pairs, [N, M]."""
    return torch.addmm(torch.ones(1, dtype=a.dtype), a, b.mT, alpha=1 / a.shape[1]).pow_(3)


def measure(subject: Subject) -> Score:
    """Measure the kernel distance of a subject from all of its real images."""
    subject.check(least=2)
    reals, fakes = subject.real_features(), subject.fakes()
    value = subject.on_main(lambda: kernel_distance(fakes, reals, seed=subject.seed))
    return subject.score("kid", value, reals=len(reals))
