"""The choice of the images of a data set that are used."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from functools import cached_property

import numpy as np

from stylegan.errors import DataError
from stylegan.files.counted import counted


@dataclass(frozen=True, eq=False)
class Subset:
    """Images chosen from the pixels of a set; with `mirror`, all of them again, flipped left to right.

    With `mirror_y`, all of these again, flipped upside down.
    """

    chosen: np.ndarray  # int64, positions in the pixels, sorted
    mirror: bool = False
    mirror_y: bool = False
    seed: int = 0  # that drew them
    shard_sizes: tuple[int, ...] = ()  # how many of them each shard holds; empty for a set without shards

    def __len__(self) -> int:
        return len(self.index)

    @property
    def copies(self) -> int:
        """Number of times that each image is in the data set."""
        return (1 + self.mirror) * (1 + self.mirror_y)

    @cached_property
    def index(self) -> np.ndarray:
        """The position in the pixels of each image of the data set, int64 [len(self)]."""
        return np.tile(self.chosen, self.copies)

    @cached_property
    def flipped(self) -> np.ndarray:
        """True for each image of the data set that is flipped left to right, bool [len(self)]."""
        return self._copy % 2 == 1 if self.mirror else np.zeros(len(self.index), bool)

    @cached_property
    def flipped_y(self) -> np.ndarray:
        """True for each image of the data set that is flipped upside down, bool [len(self)]."""
        return self._copy >= 1 + self.mirror

    @property
    def _copy(self) -> np.ndarray:
        """The number of the copy that each image of the data set belongs to, from 0."""
        return np.arange(len(self.index)) // max(len(self.chosen), 1)

    def digest(self) -> str:
        """Hex digits that change when other images are chosen."""
        flips = self.flipped.tobytes() + (self.flipped_y.tobytes() if self.mirror_y else b"")
        return hashlib.sha256(self.index.tobytes() + flips).hexdigest()[:16]


def random_subset(
    n: int, *, max_images: int | None, held_out: int, mirror: bool, mirror_y: bool, seed: int, where: object
) -> tuple[Subset, Subset | None]:
    """Images to train on, and those held out, of a set with n images in any order.

    `max_images` are chosen as the official loader does. Raises: DataError, which names `where`, if none are left.
    """
    chosen = np.arange(n, dtype=np.int64)
    if max_images is not None and max_images < n:
        np.random.RandomState(seed % 2**32).shuffle(chosen)
        chosen = np.sort(chosen[:max_images])
    _require_some_left(len(chosen), held_out, where)
    order = np.random.RandomState([seed % 2**32, 1]).permutation(len(chosen))  # not the order of training
    train = Subset(np.sort(chosen[order[held_out:]]), mirror, mirror_y, seed)
    return train, Subset(np.sort(chosen[order[:held_out]]), seed=seed) if held_out else None


def leading_subset(
    shard_sizes: tuple[int, ...],
    *,
    max_images: int | None,
    held_out: int,
    mirror: bool,
    mirror_y: bool,
    seed: int,
    where: object,
) -> tuple[Subset, Subset | None]:
    """The first images to train on, and the last held out, of shards, in which the images are shuffled already.

    Raises: DataError, which names `where`, if none are left.
    """
    n = min(max_images or sum(shard_sizes), sum(shard_sizes))
    _require_some_left(n, held_out, where)
    left = n - held_out
    ends = np.minimum(np.cumsum(shard_sizes), left)
    sizes = np.diff(ends, prepend=0)
    train = Subset(np.arange(left), mirror, mirror_y, seed, tuple(sizes[sizes > 0].tolist()))
    # The held-out images are only looked at, so they count as one shard.
    return train, Subset(np.arange(left, n), seed=seed, shard_sizes=(held_out,)) if held_out else None


def _require_some_left(images: int, held_out: int, where: object) -> None:
    if held_out >= images:
        raise DataError(
            f"{where} has {counted(images, 'image')}, so {held_out} cannot be held out; leave some to train on."
        )
