"""The order in which training sees images: a pure function, so a run resumes from its position alone."""

from __future__ import annotations

from collections.abc import Sequence
from functools import lru_cache

import numpy as np


def shuffled_indices(n: int, seed: int, start: int, count: int) -> np.ndarray:
    """Return the images at positions start ... start + count - 1 of an endless shuffled stream.

    Each run of n positions is an epoch: every image once, in an order drawn from (seed, epoch).

    Args:
        n: number of images, at least 1.
        start: position in the stream, from 0; training passes the number of images seen so far.
    Returns: int64 [count], each in [0, n).
    """
    return _shuffled(n, start, count, seed)


def balanced_indices(members: Sequence[np.ndarray], seed: int, start: int, count: int) -> np.ndarray:
    """Return the same for a stream that shows every class equally often, however many images it has.

    The classes are shuffled as `shuffled_indices` does with images, so each run of len(members) positions holds
    every class once. Each class goes through its own images in the same way.

    Args:
        members: the images of each class, at least one for each.
    Returns: int64 [count], from `members`.
    """
    classes = shuffled_indices(len(members), seed, start, count)
    runs = np.arange(start, start + count) // len(members)  # how often the class at each position was shown before
    result = np.empty(count, np.int64)
    for k in np.unique(classes):
        at = np.flatnonzero(classes == k)
        result[at] = members[k][_shuffled(len(members[k]), int(runs[at[0]]), len(at), seed, int(k))]
    return result


def members_of(classes: np.ndarray) -> list[np.ndarray]:
    """Return the positions of each class that occurs in an array of classes: int64 [n] -> a sorted int64 array each."""
    order = np.argsort(classes, kind="stable")
    return np.split(order, np.flatnonzero(np.diff(classes[order])) + 1)


def _shuffled(n: int, start: int, count: int, seed: int, *stream: int) -> np.ndarray:
    end = start + count
    epochs = range(start // n, -(-end // n))  # those that the positions touch
    pieces = [_permutation(n, seed, epoch, *stream)[max(start - epoch * n, 0) : end - epoch * n] for epoch in epochs]
    return np.concatenate([np.zeros(0, np.int64), *pieces])


@lru_cache(maxsize=4)  # a batch can straddle two epochs
def _permutation(n: int, seed: int, epoch: int, *stream: int) -> np.ndarray:
    # RandomState and not a Generator: NumPy promises never to change its streams, so old runs stay repeatable.
    return np.random.RandomState([seed % 2**32, epoch, *stream]).permutation(n).astype(np.int64, copy=False)
