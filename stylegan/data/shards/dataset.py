"""The reader of tar shards, on a disk or behind a URL: data that fits no disk, through a cache of bounded size."""

from __future__ import annotations

import copy
import hashlib
import io
from pathlib import Path
from typing import Any, Literal

import numpy as np
from pydantic import BaseModel, Field, ValidationError, model_validator

from stylegan.data.dataset import Dataset, require_some_left
from stylegan.data.labels import LabelList, LabelTable, label_meanings
from stylegan.data.shards.order import ShardOrder
from stylegan.data.shards.pixels import Shard, ShardPixels
from stylegan.data.shards.remote import is_url, read_bytes
from stylegan.data.shards.writer import INDEX, LABELS
from stylegan.errors import DataError
from stylegan.files.cache import default_cache


def open_any(path: str | Path, *, cache_gb: float = 32, processes: int = 1, **options: Any) -> Dataset:
    """Open a folder of shards, here or behind a URL, as a `ShardedDataset` and everything else as a `Dataset`."""
    if is_url(path) or (Path(path) / INDEX).is_file():
        return ShardedDataset(path, cache_gb=cache_gb, processes=processes, **options)
    return Dataset(path, **options)


class ShardedDataset(Dataset):
    """A `Dataset` of which only some shards are at hand, decoded in the cache folder.

    `order` shuffles so that few shards are needed at a time, and has the next ones fetched in the background.

    Args:
        path: a folder that `shard_writer` wrote, or its URL. Nothing but that URL is read.
        max_images: use the first so many, which are a random subset, since `dataset` shuffles what it shards.
        held_out: leave the last so many of these out.
        cache_gb: how much of the disk decoded shards may take; the longest unused go first.
        processes: processes of this machine that share the cache folder.
        Others as in `Dataset`.
    Raises: DataError for an index that is missing or damaged; later, for a shard that cannot be had after four tries.
        MissingExtra if the package that reads this kind of URL is not installed.
    """

    def __init__(
        self,
        path: str | Path,
        *,
        use_labels: bool = False,
        max_images: int | None = None,
        held_out: int = 0,
        mirror: bool = False,
        seed: int = 0,
        workers: int = 4,
        cache: str | Path | None = None,
        cache_gb: float = 32,
        processes: int = 1,
    ):
        root = str(path).rstrip("/").removesuffix(f"/{INDEX}")
        self.path = root if is_url(root) else Path(root)
        self.name = root.rpartition("/")[2]
        content = read_bytes(f"{root}/{INDEX}")
        index = _parse_index(content, f"{root}/{INDEX}")
        self.fingerprint = hashlib.sha256(content).hexdigest()[:16]
        if use_labels and not index.labels:
            raise DataError(f"{root} has no labels; shard images that have, or train without them.")
        self._labels = _read_labels(f"{root}/{LABELS}", index.images) if use_labels else None
        self.label_dim = self._labels.label_dim if self._labels else 0
        named = LabelList({}, index.class_names, index.label_names)
        self.class_names, self.label_names = label_meanings(named, self._labels)
        self._seed = seed
        self.channels, self.resolution = index.channels, index.resolution
        shape = (index.images, self.channels, self.resolution, self.resolution)
        folder = Path(cache or default_cache()) / "data" / f"{self.fingerprint}.shards"
        self._shards = ShardPixels(root, index.shards, shape, folder, workers, int(cache_gb * 1e9))
        self._pixels = self._shards  # type: ignore[assignment]  # indexes like an array
        chosen = min(max_images or index.images, index.images)
        to_train = require_some_left(path, chosen, held_out)
        self._sizes: tuple[int, ...] = (held_out,)
        self._copies = 1
        self.held_out = None
        if held_out:
            self.held_out = copy.copy(self)
            self.held_out._select(np.arange(to_train, chosen), mirror=False)
        self._sizes = tuple(_first(to_train, [shard.images for shard in index.shards]))
        self._copies = 2 if mirror else 1
        self._select(np.arange(to_train), mirror)
        self._shards.require_room(self._shard_order(seed).window, processes)

    def order(
        self, seed: int, start: int, count: int, rank: int = 0, ranks: int = 1, *, balanced: bool = False
    ) -> np.ndarray:
        """As in `Dataset`, with shards of its own for every rank, and balance among the shards that are at hand.

        Has the shards fetched that come next.
        """
        order = self._shard_order(seed, rank, ranks, self._labels if balanced else None)
        self._shards.fetch(order.shards(start // ranks))
        return order.indices(start // ranks, count // ranks)

    def one_of_each_class(self, seed: int, start: int, rank: int = 0, ranks: int = 1) -> np.ndarray:
        """As in `Dataset`, of the classes in the shards that are at hand."""
        _ = self.class_members  # raises without classes
        return self._shard_order(seed, rank, ranks, self._labels).one_of_each_class(start // ranks)

    def at_hand(
        self, seed: int, start: int, count: int, rank: int = 0, ranks: int = 1, *, balanced: bool = False
    ) -> bool:
        """As in `Dataset`; has them fetched. What cannot be had is at hand too, as an error."""
        return self._shards.at_hand(self._index[self.order(seed, start, count, rank, ranks, balanced=balanced)])

    def preview(self) -> np.ndarray:
        """Images of the shards that training starts with, in a random order."""
        order = self._shard_order(self._seed)
        return order.indices(0, order.left_in_window(0))

    def _shard_order(
        self, seed: int, rank: int = 0, ranks: int = 1, balanced_by: LabelTable | None = None
    ) -> ShardOrder:
        return ShardOrder(self._sizes, seed, copies=self._copies, rank=rank, ranks=ranks, balanced_by=balanced_by)


class _Index(BaseModel):
    format: Literal[1]
    images: int = Field(ge=1, alias="pictures")  # the name that the format has
    resolution: int = Field(ge=4)
    channels: Literal[1, 3, 4]
    labels: bool
    shards: list[Shard]
    class_names: list[str] | None = None
    label_names: list[str] | None = None

    @model_validator(mode="after")
    def _adds_up(self) -> _Index:
        if sum(shard.images for shard in self.shards) != self.images:
            raise ValueError("the images of the shards do not add up")
        return self


def _parse_index(content: bytes, where: str) -> _Index:
    try:
        return _Index.model_validate_json(content)
    except ValidationError as error:
        first = error.errors()[0]
        reason = f"{'.'.join(map(str, first['loc']))} {first['msg']}".strip()
        raise DataError(
            f"{where} is not an index of shards ({reason}); make one with `prepare` and its setting `shards`."
        ) from None


def _read_labels(location: str, n: int) -> LabelTable:
    try:
        values = np.load(io.BytesIO(read_bytes(location)), allow_pickle=False)
    except (ValueError, EOFError) as error:
        raise DataError(f"{location} is damaged ({error}); write the shards again.") from error
    if len(values) != n or (values.dtype, values.ndim) not in ((np.int64, 1), (np.float32, 2)):
        raise DataError(f"{location} holds {values.dtype} {values.shape}, not the labels of {n} images.")
    return LabelTable(values)


def _first(n: int, sizes: list[int]) -> list[int]:
    """How many of the first n images lie in each shard; shards without any are left away."""
    ends = np.minimum(np.cumsum(sizes), n)
    kept = np.diff(ends, prepend=0)
    return kept[kept > 0].tolist()
