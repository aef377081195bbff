"""The endless stream of images that one process trains on, read one step ahead in the background."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Sequence
from concurrent.futures import Future, wait
from typing import TYPE_CHECKING

import numpy as np
from torch import Tensor

from stylegan.data.background import in_background
from stylegan.data.order import balanced_indices, shuffled_indices
from stylegan.data.shards.order import ShardOrder
from stylegan.data.shards.pixels import ShardPixels

if TYPE_CHECKING:
    from stylegan.data.dataset import Dataset


class Stream(ABC):
    """Shuffled images by position: `start` images that all processes together have seen, `count` of the next step.

    What is at a position is a function of the data, the seed and the rank alone, so a run resumes without state.
    """

    def __init__(self, dataset: Dataset):
        self._dataset = dataset
        self._position: tuple[int, int] | None = None  # (start, count) of `_images`
        self._images: Future[Tensor] | None = None

    @abstractmethod
    def indices(self, start: int, count: int) -> np.ndarray:
        """This process's share of the images of a step as indices of the data set, int64 [count // ranks]."""

    @abstractmethod
    def label_indices(self, start: int) -> Sequence[int] | np.ndarray:
        """Images to draw the labels of generated images from, so that they are distributed as those of the stream."""

    def prefetch(self, start: int, count: int) -> None:
        """Begin to read the images of a step in the background, in place of any others that were begun."""
        if self._position != (start, count):
            indices = self.indices(start, count)
            self._position = start, count
            self._images = in_background(lambda: self._dataset.images(indices), "prefetch")

    def ready(self, start: int, count: int, timeout_s: float = 0) -> bool:
        """Return whether `images` need not wait, after reading in the background for up to `timeout_s` seconds."""
        self.prefetch(start, count)
        assert self._images is not None
        return bool(wait([self._images], timeout_s).done)

    def images(self, start: int, count: int) -> Tensor:
        """The images at `indices` as uint8 [count // ranks, C, H, W]. Raises: DataError if one cannot be read."""
        self.prefetch(start, count)
        assert self._images is not None
        images, self._images, self._position = self._images, None, None
        return images.result()


class ShuffledStream(Stream):
    """Every image once an epoch, in an order drawn for each; or, given the `members` of each class, classes in turn."""

    def __init__(self, dataset: Dataset, seed: int, rank: int, ranks: int, members: Sequence[np.ndarray] | None):
        super().__init__(dataset)
        self._seed, self._rank, self._ranks, self._members = seed, rank, ranks, members

    def indices(self, start: int, count: int) -> np.ndarray:
        share = count // self._ranks
        position = start + self._rank * share
        if self._members is not None:
            return balanced_indices(self._members, self._seed, position, share)
        return shuffled_indices(len(self._dataset), self._seed, position, share)

    def label_indices(self, start: int) -> Sequence[int] | np.ndarray:
        if self._members is None:
            return range(len(self._dataset))
        return np.array([members[0] for members in self._members])


class ShardStream(Stream):
    """Images in the order of a `ShardOrder`, whose next shards are fetched in time."""

    def __init__(self, dataset: Dataset, pixels: ShardPixels, order: ShardOrder):
        super().__init__(dataset)
        self._pixels, self._order = pixels, order

    def indices(self, start: int, count: int) -> np.ndarray:
        position = start // self._order.ranks
        self._pixels.fetch(self._order.shards(position))
        return self._order.indices(position, count // self._order.ranks)

    def label_indices(self, start: int) -> Sequence[int] | np.ndarray:
        if self._order.balanced_by is None:
            return range(len(self._dataset))
        return self._order.one_of_each_class(start // self._order.ranks)
