"""The reader of tar shards, on a disk or behind a URL: data that fits no disk, through a cache of bounded size."""

from __future__ import annotations

import copy
import fcntl
import hashlib
import io
import os
import queue
import tarfile
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Future
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any, Literal

import numpy as np
from pydantic import BaseModel, Field, ValidationError, model_validator

from stylegan.data.dataset import Dataset, default_cache, mapped, require_some_left, write_npy
from stylegan.data.labels import LabelList, LabelTable, label_meanings
from stylegan.data.ordered_map import ordered_map
from stylegan.data.pictures import read_picture
from stylegan.data.shard_order import ShardOrder
from stylegan.data.shard_writer import INDEX, LABELS
from stylegan.distributed import from_environment
from stylegan.errors import DataError, MissingExtra

_TRIES = 4
_FIRST_PAUSE_S = 1.0  # doubled after every try
_TRY_S = 300.0  # a gigabyte at 3 MB/s


def is_url(path: str | Path) -> bool:
    """Whether fsspec is to read it: s3://bucket/faces, https://host/faces, ..."""
    return "://" in str(path)


def open_any(path: str | Path, *, cache_gb: float = 32, **options: Any) -> Dataset:
    """Open a folder of shards, here or behind a URL, as a `ShardedDataset` and everything else as a `Dataset`."""
    if is_url(path) or (Path(path) / INDEX).is_file():
        return ShardedDataset(path, cache_gb=cache_gb, **options)
    return Dataset(path, **options)


class ShardedDataset(Dataset):
    """A `Dataset` of which only some shards are at hand, decoded in the cache folder.

    `order` shuffles so that few shards are needed at a time, and has the next ones fetched in the background.

    Args:
        path: a folder that `shard_writer` wrote, or its URL. Nothing but that URL is read.
        max_images: use the first so many, which are a random subset, since `dataset` shuffles what it shards.
        held_out: leave the last so many of these out.
        cache_gb: how much of the disk decoded shards may take; the longest unused go first.
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
    ):
        root = str(path).rstrip("/").removesuffix(f"/{INDEX}")
        self.path = root if is_url(root) else Path(root)
        self.name = root.rpartition("/")[2]
        content = read_bytes(f"{root}/{INDEX}")
        index = _parse_index(content, f"{root}/{INDEX}")
        self.fingerprint = hashlib.sha256(content).hexdigest()[:16]
        if use_labels and not index.labels:
            raise DataError(f"{root} has no labels; shard pictures that have, or train without them.")
        self._labels = _read_labels(f"{root}/{LABELS}", index.pictures) if use_labels else None
        self.label_dim = self._labels.label_dim if self._labels else 0
        named = LabelList({}, index.class_names, index.label_names)
        self.class_names, self.label_names = label_meanings(named, self._labels)
        self._seed = seed
        self.channels, self.resolution = index.channels, index.resolution
        shape = (index.pictures, self.channels, self.resolution, self.resolution)
        folder = Path(cache or default_cache()) / "data" / f"{self.fingerprint}.shards"
        self._shards = ShardPixels(root, index.shards, shape, folder, workers, int(cache_gb * 1e9))
        self._pixels = self._shards  # type: ignore[assignment]  # indexes like an array
        chosen = min(max_images or index.pictures, index.pictures)
        to_train = require_some_left(path, chosen, held_out)
        self._sizes: tuple[int, ...] = (held_out,)
        self._copies = 1
        self.held_out = None
        if held_out:
            self.held_out = copy.copy(self)
            self.held_out._select(np.arange(to_train, chosen), mirror=False)
        self._sizes = tuple(_first(to_train, [shard.pictures for shard in index.shards]))
        self._copies = 2 if mirror else 1
        self._select(np.arange(to_train), mirror)
        self._shards.require_room(self._shard_order(seed).window, from_environment().local_size)

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
        """Pictures of the shards that training starts with, in a random order."""
        order = self._shard_order(self._seed)
        return order.indices(0, order.left_in_window(0))

    def _shard_order(
        self, seed: int, rank: int = 0, ranks: int = 1, balanced_by: LabelTable | None = None
    ) -> ShardOrder:
        return ShardOrder(self._sizes, seed, copies=self._copies, rank=rank, ranks=ranks, balanced_by=balanced_by)


class ShardPixels:
    """What indexes like a uint8 array [n, C, H, W], but gets the shards from elsewhere when they are needed.

    One thread fetches them and keeps them in `folder`, which several processes may share; `workers` decode.
    """

    def __init__(
        self, root: str, shards: Sequence[_Shard], shape: tuple[int, ...], folder: Path, workers: int, max_bytes: int
    ):
        self.shape = shape
        self._root, self._shards, self._folder = root, shards, folder
        self._workers, self._max_bytes = workers, max_bytes
        self._starts = np.cumsum([0, *(shard.pictures for shard in shards)])
        self._asked: dict[int, Future[np.ndarray]] = {}  # fetched or being fetched
        self._wanted: Sequence[int] = ()  # those that training needs now and next
        self._queue: queue.SimpleQueue[tuple[int, Future[np.ndarray]]] = queue.SimpleQueue()
        self._thread: threading.Thread | None = None

    def __getitem__(self, index: np.ndarray) -> np.ndarray:
        """Copies of N pictures, uint8 [N, C, H, W]; waits for shards that are not there yet."""
        out = np.empty((len(index), *self.shape[1:]), np.uint8)
        shard_of = self._shard_of(index)
        for shard in np.unique(shard_of).tolist():
            chosen = shard_of == shard
            out[chosen] = self._pictures(shard)[index[chosen] - self._starts[shard]]
        return out

    def at_hand(self, index: np.ndarray) -> bool:
        """Whether all shards of these pictures have come, or an error instead of them."""
        return all(self._ask(shard).done() for shard in np.unique(self._shard_of(index)).tolist())

    def fetch(self, shards: Sequence[int]) -> None:
        """Have these shards brought in, the first one first, and let go of all others."""
        self._wanted = shards
        self._let_go()
        for shard in shards:
            self._ask(shard)

    def require_room(self, window: int, processes: int) -> None:
        """Raise DataError unless two windows of each process fit the cache, or the whole set if that is less."""
        each = sorted((shard.pictures for shard in self._shards), reverse=True)[: 2 * window * processes]
        needed = sum(each) * int(np.prod(self.shape[1:]))
        if needed > self._max_bytes:
            several = f" of {processes} processes" if processes > 1 else ""
            raise DataError(
                f"{self._root} needs {needed / 1e9:.3g} GB of cache for {len(each)} shards{several}, but cache_gb "
                f"allows {self._max_bytes / 1e9:.3g}; allow more, or write smaller shards."
            )

    def _shard_of(self, index: np.ndarray) -> np.ndarray:
        return np.searchsorted(self._starts, index, side="right") - 1

    def _let_go(self) -> None:
        for shard in self._asked.keys() - set(self._wanted):
            if self._asked[shard].done():
                del self._asked[shard]

    def _ask(self, shard: int) -> Future[np.ndarray]:
        if shard not in self._asked:
            self._let_go()  # a file that is mapped keeps its room on the disk
            self._asked[shard] = Future()
            self._queue.put((shard, self._asked[shard]))
            if self._thread is None:
                # A daemon, so that a stopped run need not wait for a slow network.
                self._thread = threading.Thread(target=self._work, name="shards", daemon=True)
                self._thread.start()
        return self._asked[shard]

    def _pictures(self, shard: int) -> np.ndarray:
        try:
            return self._ask(shard).result()
        except BaseException:
            self._asked.pop(shard, None)  # so that whoever goes on asks again
            raise

    def _work(self) -> None:
        while True:
            shard, future = self._queue.get()
            try:
                future.set_result(self._cached(shard))
            except BaseException as error:
                future.set_exception(error)

    def _cached(self, shard: int) -> np.ndarray:
        """One shard, uint8 [n, C, H, W], mapped from its file in the cache."""
        file = self._folder / f"{shard:06d}.npy"
        pixels = mapped(file, self._shards[shard].pictures)
        if pixels is None:
            pixels = self._bring(shard, file)
        with suppress(OSError):  # who shares the cache may have made room already
            os.utime(file)  # the age that _make_room goes by
        return pixels

    def _bring(self, shard: int, file: Path) -> np.ndarray:
        described = self._shards[shard]
        url, shape = f"{self._root}/{described.name}", (described.pictures, *self.shape[1:])
        content = read_bytes(url, described.sha256)
        try:
            self._folder.mkdir(parents=True, exist_ok=True)
            with _in_turn(self._folder.with_suffix(".lock")):  # nobody takes this room, or removes this file unmapped
                self._make_room(int(np.prod(shape)))
                stream = self._decoded(content, url, described.pictures)
                write_npy(file, shape, next(stream), stream)
                return np.load(file, mmap_mode="r")
        except OSError as error:
            raise DataError(
                f"{file.parent} cannot hold a shard of {self._root}, so set STYLEGAN_CACHE to a folder with more "
                f"room: {error}"
            ) from error

    def _make_room(self, size: int) -> None:
        files = [(file.stat().st_mtime_ns, file.stat().st_size, file) for file in self._folder.iterdir()]
        used = sum(size for _, size, _ in files)
        for _, file_size, file in sorted(files):
            if used + size <= self._max_bytes:
                return
            file.unlink(missing_ok=True)  # who has it mapped keeps it until then
            used -= file_size

    def _decoded(self, content: bytes, url: str, n: int) -> Iterator[np.ndarray]:
        """The pictures of a shard, uint8 [C, H, W]; nothing of it is unpacked to disk, so no name in it can do harm."""
        found = 0
        try:
            with tarfile.open(fileobj=io.BytesIO(content)) as tar:
                for img in ordered_map(self._decode, _pngs(tar), self._workers):
                    found += 1
                    yield img
        except (DataError, tarfile.TarError) as error:
            raise DataError(f"the shard {url} is damaged: {error}; write it again.") from error
        if found != n:
            raise DataError(f"the shard {url} holds {found} pictures, not {n}; write the shards again.")

    def _decode(self, member: tuple[str, bytes]) -> np.ndarray:
        name, png = member
        img = read_picture(io.BytesIO(png)).transpose(2, 0, 1)
        if img.shape != self.shape[1:]:
            raise DataError(f"{name} is {img.shape} where the set is {self.shape[1:]}")
        return img


@contextmanager
def _in_turn(lock: Path) -> Iterator[None]:
    """Wait until no other process or thread is in such a block. Does nothing where the file system knows no locks."""
    with lock.open("ab") as file:
        with suppress(OSError):
            fcntl.flock(file, fcntl.LOCK_EX)
        yield


def _pngs(tar: tarfile.TarFile) -> Iterator[tuple[str, bytes]]:
    for member in tar:
        if member.isreg() and member.name.endswith(".png"):
            png = tar.extractfile(member)
            assert png is not None
            yield member.name, png.read()


def read_bytes(location: str, sha256: str | None = None) -> bytes:
    """A whole file, from a path or through fsspec, tried four times, five minutes each.

    Raises: DataError when it is not there, cannot be read or differs from `sha256`; MissingExtra.
    """
    for attempt in range(_TRIES):
        if attempt:
            time.sleep(_FIRST_PAUSE_S * 2 ** (attempt - 1))
        try:
            content = _within(_TRY_S, _read_through_fsspec if is_url(location) else _read_path, location)
        except (FileNotFoundError, NotADirectoryError):
            raise DataError(f"there is nothing at {location}; put it there, or give the place of the shards.") from None
        except MissingExtra:
            raise
        except Exception as error:  # each file system has its own
            problem = f"cannot be read ({str(error) or type(error).__name__})"
            continue
        if sha256 is None or hashlib.sha256(content).hexdigest() == sha256:
            return content
        problem = "is damaged: its SHA-256 is not that of the index"
    raise DataError(f"{location} {problem}, tried {_TRIES} times; mend it or the way to it, then go on with --resume.")


def _within(seconds: float, read: Callable[[str], bytes], location: str) -> bytes:
    """What `read` returns. Raises TimeoutError when that takes longer: not every file system has a limit of its own."""
    content: Future[bytes] = Future()

    def work() -> None:
        try:
            content.set_result(read(location))
        except BaseException as error:
            content.set_exception(error)

    threading.Thread(target=work, name="read", daemon=True).start()
    return content.result(seconds)


def _read_path(path: str) -> bytes:
    return Path(path).read_bytes()


def _read_through_fsspec(url: str) -> bytes:
    try:
        import fsspec  # type: ignore[import-untyped]

        with fsspec.open(url, "rb") as file:
            return file.read()
    except (ImportError, ValueError) as error:  # fsspec has no reader for it, or that lacks a package
        raise MissingExtra(
            f"{url} cannot be read ({error}). HTTP needs: pip install 'stylegan[data]'; others their own package, "
            "such as s3fs or gcsfs."
        ) from error


class _Shard(BaseModel):
    name: str = Field(pattern=r"^\w[\w.-]*\.tar$")  # beside the index and nowhere else
    pictures: int = Field(ge=1)
    sha256: str


class _Index(BaseModel):
    format: Literal[1]
    pictures: int = Field(ge=1)
    resolution: int = Field(ge=4)
    channels: Literal[1, 3, 4]
    labels: bool
    shards: list[_Shard]
    class_names: list[str] | None = None
    label_names: list[str] | None = None

    @model_validator(mode="after")
    def _adds_up(self) -> _Index:
        if sum(shard.pictures for shard in self.shards) != self.pictures:
            raise ValueError("the pictures of the shards do not add up")
        return self


def _parse_index(content: bytes, where: str) -> _Index:
    try:
        return _Index.model_validate_json(content)
    except ValidationError as error:
        first = error.errors()[0]
        reason = f"{'.'.join(map(str, first['loc']))} {first['msg']}".strip()
        raise DataError(
            f"{where} is no index of shards ({reason}); make one with `stylegan dataset --shards`."
        ) from None


def _read_labels(location: str, n: int) -> LabelTable:
    try:
        values = np.load(io.BytesIO(read_bytes(location)), allow_pickle=False)
    except (ValueError, EOFError) as error:
        raise DataError(f"{location} is damaged ({error}); write the shards again.") from error
    if len(values) != n or (values.dtype, values.ndim) not in ((np.int64, 1), (np.float32, 2)):
        raise DataError(f"{location} holds {values.dtype} {values.shape}, not the labels of {n} pictures.")
    return LabelTable(values)


def _first(n: int, sizes: list[int]) -> list[int]:
    """How many of the first n pictures lie in each shard; shards without any are left away."""
    ends = np.minimum(np.cumsum(sizes), n)
    kept = np.diff(ends, prepend=0)
    return kept[kept > 0].tolist()
