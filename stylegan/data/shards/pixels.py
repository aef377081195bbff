"""Tar shards as one array of images, fetched when they are needed and decoded into the cache."""

from __future__ import annotations

import io
import queue
import tarfile
import threading
from collections.abc import Iterator, Sequence
from concurrent.futures import Future

import numpy as np

from stylegan.data.cache import PixelCache
from stylegan.data.ordered_map import ordered_map
from stylegan.data.shards.index import ShardIndex
from stylegan.data.shards.order import WINDOW
from stylegan.data.shards.remote import read_bytes
from stylegan.errors import DataError, OutputError
from stylegan.images.read import read_image


class ShardPixels:
    """Indexes like an array uint8 [n, C, H, W], and fetches the shards that it needs into the cache.

    One thread fetches, `workers` decode. Several processes may share the cache.

    Args:
        root: folder or URL of the shards. folder: name of theirs in the cache.
    Attributes:
        shape: (n, C, H, W).
    """

    def __init__(self, root: str, index: ShardIndex, folder: str, workers: int, cache: PixelCache):
        self.shape = (index.images, index.channels, index.resolution, index.resolution)
        self._root, self._shards, self._folder = root, index.shards, folder
        self._workers, self._cache = workers, cache
        self._starts = np.cumsum([0, *(shard.images for shard in index.shards)])
        self._asked: dict[int, Future[np.ndarray]] = {}  # fetched or being fetched
        self._wanted: Sequence[int] = ()  # those that training needs now and next
        self._queue: queue.SimpleQueue[tuple[int, Future[np.ndarray]]] = queue.SimpleQueue()
        self._thread: threading.Thread | None = None
        self._lock = threading.RLock()  # of what was asked for

    def __getitem__(self, index: np.ndarray) -> np.ndarray:
        """Copies of N images, int64 [N] -> uint8 [N, C, H, W]; waits for shards that have not arrived yet."""
        out = np.empty((len(index), *self.shape[1:]), np.uint8)
        shard_of = self._shard_of(index)
        for shard in np.unique(shard_of).tolist():
            chosen = shard_of == shard
            out[chosen] = self._images(shard)[index[chosen] - self._starts[shard]]
        return out

    def fetch(self, shards: Sequence[int]) -> None:
        """Fetch these shards in this order in the background, and release all others."""
        with self._lock:
            self._wanted = shards
            self._release()
            for shard in shards:
                self._ask(shard)

    def cache_bytes_needed(self) -> int:
        """Bytes by which the cache grows when all shards are read in turn."""
        missing = [
            shard.images
            for number, shard in enumerate(self._shards)
            if self._cache.get(self._file(number), (shard.images, *self.shape[1:])) is None
        ]
        return self._cache.growth(sum(missing) * int(np.prod(self.shape[1:])))

    def require_room(self, processes: int) -> None:
        """Raise DataError unless two windows of each process fit the cache, or the whole set if that is less."""
        each = sorted((shard.images for shard in self._shards), reverse=True)[: 2 * WINDOW * processes]
        needed = sum(each) * int(np.prod(self.shape[1:]))
        if needed > self._cache.max_bytes:
            several = f" of {processes} processes" if processes > 1 else ""
            raise DataError(
                f"{self._root} needs {needed / 1e9:.3g} GB of cache for {len(each)} shards{several}, but cache_gb "
                f"allows {self._cache.max_bytes / 1e9:.3g}; allow more, or write smaller shards."
            )

    def _shard_of(self, index: np.ndarray) -> np.ndarray:
        return np.searchsorted(self._starts, index, side="right") - 1

    def _release(self) -> None:
        for shard in self._asked.keys() - set(self._wanted):
            if self._asked[shard].done():
                del self._asked[shard]

    def _ask(self, shard: int) -> Future[np.ndarray]:
        with self._lock:
            if shard not in self._asked:
                self._release()  # a file that is mapped keeps its room on the disk
                self._asked[shard] = Future()
                self._queue.put((shard, self._asked[shard]))
                if self._thread is None:
                    # A daemon, so that a stopped run need not wait for a slow network.
                    self._thread = threading.Thread(target=self._work, name="shards", daemon=True)
                    self._thread.start()
            return self._asked[shard]

    def _images(self, shard: int) -> np.ndarray:
        asked = self._ask(shard)
        try:
            return asked.result()
        except BaseException:
            with self._lock:
                self._asked.pop(shard, None)  # so that the next read tries again
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
        described = self._shards[shard]
        name, shape = self._file(shard), (described.images, *self.shape[1:])
        pixels = self._cache.get(name, shape)
        if pixels is not None:
            return pixels
        url = f"{self._root}/{described.name}"
        content = read_bytes(url, described.sha256)
        try:
            return self._cache.put(name, shape, self._decoded(content, url, described.images))
        except OutputError as error:
            raise DataError(
                f"{self._cache.folder} cannot hold a shard of {self._root}, so set STYLEGAN_CACHE to a folder with "
                f"more room: {error}"
            ) from error

    def _file(self, shard: int) -> str:
        return f"{self._folder}/{shard:06d}"

    def _decoded(self, content: bytes, url: str, n: int) -> Iterator[np.ndarray]:
        """The images of a shard, uint8 [C, H, W]. Nothing is unpacked to disk, so names in it can do no harm."""
        found = 0
        try:
            with tarfile.open(fileobj=io.BytesIO(content)) as tar:
                for img in ordered_map(self._decode, _pngs(tar), self._workers):
                    found += 1
                    yield img
        except (DataError, tarfile.TarError) as error:
            raise DataError(f"the shard {url} is damaged: {error}; write it again.") from error
        if found != n:
            raise DataError(f"the shard {url} holds {found} images, not {n}; write the shards again.")

    def _decode(self, member: tuple[str, bytes]) -> np.ndarray:
        name, png = member
        img = read_image(io.BytesIO(png)).transpose(2, 0, 1)
        if img.shape != self.shape[1:]:
            raise DataError(f"{name} is {img.shape} where the set is {self.shape[1:]}")
        return img


def _pngs(tar: tarfile.TarFile) -> Iterator[tuple[str, bytes]]:
    for member in tar:
        if member.isreg() and member.name.endswith(".png"):
            png = tar.extractfile(member)
            assert png is not None
            yield member.name, png.read()
