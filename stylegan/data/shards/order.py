"""The order in which training sees sharded images, shuffled without random access to all of them."""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache

import numpy as np

from stylegan.data.labels import LabelTable
from stylegan.data.order import balanced_indices, members_of
from stylegan.errors import ConfigError

WINDOW = 4  # shards whose images are shuffled together


@dataclass(frozen=True)
class ShardOrder:
    """An endless stream of images, a pure function of (seed, position) like `shuffled_indices`.

    An epoch goes through the shards in a random order, a window of a few at a time; the images of a window are
    shuffled together. So only two windows need to be in the cache: the current one and the next.

    Args:
        sizes: images in each shard.
        copies: of each image; copy k of image i is number i + k * sum(sizes).
        rank, ranks: each of several processes gets shards of its own, drawn again in every epoch. All have epochs of
            the same length, so a rank with smaller shards sees some images twice and one with larger misses some.
        balanced_by: classes of all images; those of a window then come equally often in it. Rarer ones repeat.
    Raises: ConfigError for fewer shards than ranks.
    """

    sizes: tuple[int, ...]
    seed: int
    copies: int = 1
    window: int = WINDOW
    rank: int = 0
    ranks: int = 1
    balanced_by: LabelTable | None = None

    def __post_init__(self) -> None:
        if len(self.sizes) < self.ranks:
            raise ConfigError(f"{self.ranks} processes need as many shards, got {len(self.sizes)}; write smaller ones.")

    @property
    def epoch_length(self) -> int:
        """Positions in an epoch of one rank."""
        return sum(self.sizes) * self.copies // self.ranks

    def indices(self, start: int, count: int) -> np.ndarray:
        """Images at the positions start ... start + count - 1 of this rank's stream, int64 [count]."""
        pieces = [np.zeros(0, np.int64)]
        while count > 0:
            epoch, window, offset, left = self._locate(start)
            pieces.append(_images(self, epoch, window)[offset : offset + min(left, count)])
            start, count = start + len(pieces[-1]), count - len(pieces[-1])
        return np.concatenate(pieces)

    def shards(self, position: int) -> list[int]:
        """The shards needed at a position and in the window after it, the soonest first."""
        epoch, window, _, left = self._locate(position)
        next_epoch, next_window, _, _ = self._locate(position + left)
        both = [*_windows(self, epoch)[0][window], *_windows(self, next_epoch)[0][next_window]]
        return list(dict.fromkeys(both))

    def left_in_window(self, position: int) -> int:
        """The number of positions from this one to the next window."""
        return self._locate(position)[3]

    def one_of_each_class(self, position: int) -> np.ndarray:
        """An image of each class that the window at a position holds."""
        epoch, window, _, _ = self._locate(position)
        return np.array([members[0] for members in _members(self, epoch, window)])

    def _locate(self, position: int) -> tuple[int, int, int, int]:
        """Epoch, window, offset in the window, and the number of positions left in it."""
        epoch, offset = divmod(position, self.epoch_length)
        left_in_epoch = self.epoch_length - offset
        ends = _windows(self, epoch)[1]
        offset %= ends[-1]
        window = int(np.searchsorted(ends, offset, side="right"))
        begin = ends[window - 1] if window else 0
        return epoch, window, offset - begin, min(ends[window] - offset, left_in_epoch)


@lru_cache(maxsize=4)
def _windows(order: ShardOrder, epoch: int) -> tuple[list[list[int]], list[int]]:
    """The windows of an epoch as lists of shards, and the position at which each ends."""
    mine = np.random.RandomState([order.seed % 2**32, epoch]).permutation(len(order.sizes))[order.rank :: order.ranks]
    windows = [mine[i : i + order.window].tolist() for i in range(0, len(mine), order.window)]
    lengths = [sum(order.sizes[shard] for shard in shards) * order.copies for shards in windows]
    return windows, np.cumsum(lengths).tolist()


@lru_cache(maxsize=2)  # a batch can straddle two windows
def _images(order: ShardOrder, epoch: int, window: int) -> np.ndarray:
    every = _in_window(order, epoch, window)
    random = np.random.RandomState([order.seed % 2**32, epoch, 1 + _windows(order, epoch)[0][window][0]])
    if order.balanced_by is None:
        return random.permutation(every).astype(np.int64, copy=False)
    return balanced_indices(_members(order, epoch, window), random.randint(2**31), 0, len(every))


def _in_window(order: ShardOrder, epoch: int, window: int) -> np.ndarray:
    """All images of its shards, and their copies."""
    ends = np.cumsum(order.sizes)
    shards = _windows(order, epoch)[0][window]
    once = np.concatenate([np.arange(ends[shard] - order.sizes[shard], ends[shard]) for shard in shards])
    return np.concatenate([once + copy * ends[-1] for copy in range(order.copies)])


@lru_cache(maxsize=2)
def _members(order: ShardOrder, epoch: int, window: int) -> list[np.ndarray]:
    """The images of each class in a window."""
    assert order.balanced_by is not None
    every = _in_window(order, epoch, window)
    return [every[at] for at in members_of(order.balanced_by.values[every % sum(order.sizes)])]
