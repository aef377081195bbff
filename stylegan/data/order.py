"""The order in which training sees pictures: a pure function, so a run resumes from its position alone."""

from __future__ import annotations

from functools import lru_cache

import numpy as np


def shuffled_indices(n: int, seed: int, start: int, count: int) -> np.ndarray:
    """Which pictures stand at positions start ... start + count - 1 of an endless shuffled stream.

    Each run of n positions is an epoch: every picture once, in an order drawn from (seed, epoch).

    Args:
        n: number of pictures, at least 1.
        start: position in the stream, from 0; training passes the number of pictures seen so far.
    Returns: int64 [count], each in [0, n).
    """
    end = start + count
    epochs = range(start // n, -(-end // n))  # those that the positions touch
    pieces = [_permutation(n, seed, epoch)[max(start - epoch * n, 0) : end - epoch * n] for epoch in epochs]
    return np.concatenate([np.zeros(0, np.int64), *pieces])


@lru_cache(maxsize=2)  # a batch can straddle two epochs
def _permutation(n: int, seed: int, epoch: int) -> np.ndarray:
    # RandomState and not a Generator: NumPy promises never to change its streams, so old runs stay repeatable.
    return np.random.RandomState([seed % 2**32, epoch]).permutation(n).astype(np.int64, copy=False)
