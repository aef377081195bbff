"""A data set as training and metrics see it: pixels, labels, and which of them are used."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path

import numpy as np
import torch

from stylegan.data.labels import LabelTable
from stylegan.data.order import members_of
from stylegan.data.pixels import SourcePixels, Track, untracked
from stylegan.data.shards.order import ShardOrder
from stylegan.data.shards.pixels import ShardPixels
from stylegan.data.stream import ShardStream, ShuffledStream, Stream
from stylegan.data.subset import Subset
from stylegan.errors import DataError

Indices = Sequence[int] | np.ndarray | torch.Tensor  # each in [0, len(dataset))


@dataclass(frozen=True, eq=False)
class Dataset:
    """Equal square images with optional labels, in a fixed order; `open_dataset` makes one.

    Attributes:
        path: where it was opened, a path or a URL.
        name: base name of `path` without its extension.
        fingerprint: hex digits that change when the images do; a zip keeps them when it is moved.
        held_out: the images that were left out, None without any.
    """

    path: Path | str
    name: str
    fingerprint: str
    pixels: SourcePixels | ShardPixels = field(repr=False)  # uint8 [n, C, H, W]
    label_table: LabelTable | None = field(repr=False)
    subset: Subset = field(repr=False)
    held_out: Dataset | None = None

    def __len__(self) -> int:
        return len(self.subset)

    @property
    def resolution(self) -> int:
        """Pixels per side, a power of two."""
        return self.pixels.shape[2]

    @property
    def channels(self) -> int:
        """1 for gray, 3 for RGB, 4 for RGBA."""
        return self.pixels.shape[1]

    @property
    def label_dim(self) -> int:
        """Number of classes or length of the label vectors, of the whole set; 0 without labels."""
        return self.label_table.label_dim if self.label_table else 0

    @property
    def class_names(self) -> list[str] | None:
        """The name of each class, None if not known or without classes."""
        return self.label_table.class_names if self.label_table else None

    @property
    def label_names(self) -> list[str] | None:
        """The name of each value of label vectors, its position where there is no name; None without vectors."""
        return self.label_table.label_names if self.label_table else None

    @property
    def labels_fingerprint(self) -> str:
        """Hex digits that change when the labels in use do; empty without."""
        return hashlib.sha256(self.label_table.values.tobytes()).hexdigest()[:16] if self.label_table else ""

    @cached_property
    def selection(self) -> str:
        """Hex digits that change when other images of the same pixels are used."""
        return self.subset.digest()

    @cached_property
    def class_members(self) -> list[np.ndarray]:
        """The indices of the images of each class that has some. Raises: DataError unless labels are classes."""
        numbers = self.class_numbers(np.arange(len(self)))
        if numbers is None:
            raise DataError(f"{self.path} has no class numbers, which balanced classes need; leave out `balanced`.")
        return members_of(numbers)

    def image(self, i: int) -> torch.Tensor:
        """Image i as uint8 [C, H, W]."""
        return self.images([i])[0]

    def label(self, i: int) -> torch.Tensor:
        """Label of image i as float32 [label_dim], one-hot for classes."""
        return self.labels([i])[0]

    def images(self, indices: Indices) -> torch.Tensor:
        """N images as uint8 [N, C, H, W], a copy. Raises: DataError for an image that cannot be read."""
        at = np.asarray(indices, np.int64)
        pixels = self.pixels[self.subset.index[at]]
        for flipped, axis in ((self.subset.flipped[at], 3), (self.subset.flipped_y[at], 2)):
            if flipped.any():
                pixels[flipped] = np.flip(pixels[flipped], axis)
        return torch.from_numpy(pixels)

    def labels(self, indices: Indices) -> torch.Tensor:
        """Labels of N images as float32 [N, label_dim]; [N, 0] without labels."""
        at = np.asarray(indices, np.int64)
        if self.label_table is None:
            return torch.zeros(len(at), 0)
        return torch.from_numpy(self.label_table.rows(self.subset.index[at]))

    def class_numbers(self, indices: Indices) -> np.ndarray | None:
        """Classes of N images by number, int64 [N]: `labels` without one-hot rows. None unless labels are classes."""
        if self.label_table is None or self.label_table.values.ndim != 1:
            return None
        return self.label_table.values[self.subset.index[np.asarray(indices, np.int64)]]

    def stream(self, seed: int, rank: int = 0, ranks: int = 1, *, balanced: bool = False) -> Stream:
        """The endless shuffled stream of images that one of `ranks` processes trains on.

        Args:
            balanced: show every class equally often, however many images it has; of shards, the classes of those that
                are read at the time.
        Raises: DataError for balanced images without classes; ConfigError for fewer shards than ranks.
        """
        members = self.class_members if balanced else None
        if isinstance(self.pixels, ShardPixels):
            return ShardStream(self, self.pixels, self._shard_order(seed, rank, ranks, balanced=balanced))
        return ShuffledStream(self, seed, rank, ranks, members)

    def preview(self) -> np.ndarray:
        """Indices to choose some images from to look at, int64 [at most len(self)], in a random order.

        Of shards, they are from those that training starts with.
        """
        if isinstance(self.pixels, ShardPixels):
            order = self._shard_order(self.subset.seed)
            return order.indices(0, order.left_in_window(0))
        return np.random.RandomState(0).permutation(len(self))

    def cache_bytes_needed(self) -> int:
        """Bytes by which the cache will grow when all images are read, 0 for a set that is read without it."""
        return self.pixels.cache_bytes_needed()

    def fill_cache(self, track: Track = untracked) -> None:
        """Decode the images into the cache now and not at the first read, see `SourcePixels.fill_cache`.

        Shards are fetched when they are needed, so for them it does nothing.
        """
        if isinstance(self.pixels, SourcePixels):
            self.pixels.fill_cache(track)

    def _shard_order(self, seed: int, rank: int = 0, ranks: int = 1, *, balanced: bool = False) -> ShardOrder:
        return ShardOrder(
            self.subset.shard_sizes,
            seed,
            copies=self.subset.copies,
            rank=rank,
            ranks=ranks,
            balanced_by=self.label_table if balanced else None,
        )
