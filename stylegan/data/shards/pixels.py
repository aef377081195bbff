"""Tar shards as one array of images: fetched when they are needed, decoded into a cache of bounded size."""

from __future__ import annotations

import io
import os
import queue
import tarfile
import threading
from collections.abc import Iterator, Sequence
from concurrent.futures import Future
from contextlib import contextmanager, suppress
from pathlib import Path

import numpy as np
from pydantic import BaseModel, Field

from stylegan.data.dataset import mapped, write_npy
from stylegan.data.ordered_map import ordered_map
from stylegan.data.shards.remote import read_bytes
from stylegan.errors import DataError
from stylegan.images.read import read_image


class Shard(BaseModel):
    """What the index says of one tar."""

    name: str = Field(pattern=r"^\w[\w.-]*\.tar$")  # beside the index and nowhere else
    images: int = Field(ge=1, alias="pictures")  # the name that the format has
    sha256: str


class ShardPixels:
    """What indexes like a uint8 array [n, C, H, W], but gets the shards from elsewhere when they are needed.

    One thread fetches them and keeps them in `folder`, which several processes may share; `workers` decode.
    """

    def __init__(
        self, root: str, shards: Sequence[Shard], shape: tuple[int, ...], folder: Path, workers: int, max_bytes: int
    ):
        self.shape = shape
        self._root, self._shards, self._folder = root, shards, folder
        self._workers, self._max_bytes = workers, max_bytes
        self._starts = np.cumsum([0, *(shard.images for shard in shards)])
        self._asked: dict[int, Future[np.ndarray]] = {}  # fetched or being fetched
        self._wanted: Sequence[int] = ()  # those that training needs now and next
        self._queue: queue.SimpleQueue[tuple[int, Future[np.ndarray]]] = queue.SimpleQueue()
        self._thread: threading.Thread | None = None

    def __getitem__(self, index: np.ndarray) -> np.ndarray:
        """Copies of N images, uint8 [N, C, H, W]; waits for shards that are not there yet."""
        out = np.empty((len(index), *self.shape[1:]), np.uint8)
        shard_of = self._shard_of(index)
        for shard in np.unique(shard_of).tolist():
            chosen = shard_of == shard
            out[chosen] = self._images(shard)[index[chosen] - self._starts[shard]]
        return out

    def at_hand(self, index: np.ndarray) -> bool:
        """Whether all shards of these images have come, or an error instead of them."""
        return all(self._ask(shard).done() for shard in np.unique(self._shard_of(index)).tolist())

    def fetch(self, shards: Sequence[int]) -> None:
        """Have these shards brought in, the first one first, and let go of all others."""
        self._wanted = shards
        self._let_go()
        for shard in shards:
            self._ask(shard)

    def require_room(self, window: int, processes: int) -> None:
        """Raise DataError unless two windows of each process fit the cache, or the whole set if that is less."""
        each = sorted((shard.images for shard in self._shards), reverse=True)[: 2 * window * processes]
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

    def _images(self, shard: int) -> np.ndarray:
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
        pixels = mapped(file, self._shards[shard].images)
        if pixels is None:
            pixels = self._bring(shard, file)
        with suppress(OSError):  # who shares the cache may have made room already
            os.utime(file)  # the age that _make_room goes by
        return pixels

    def _bring(self, shard: int, file: Path) -> np.ndarray:
        described = self._shards[shard]
        url, shape = f"{self._root}/{described.name}", (described.images, *self.shape[1:])
        content = read_bytes(url, described.sha256)
        try:
            self._folder.mkdir(parents=True, exist_ok=True)
            with _in_turn(self._folder.with_suffix(".lock")):  # nobody takes this room, or removes this file unmapped
                self._make_room(int(np.prod(shape)))
                stream = self._decoded(content, url, described.images)
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
        """The images of a shard, uint8 [C, H, W]; nothing of it is unpacked to disk, so no name in it can do harm."""
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


@contextmanager
def _in_turn(lock: Path) -> Iterator[None]:
    """Wait until no other process or thread is in such a block. Does nothing where the system has no such locks."""
    with lock.open("ab") as file:
        with suppress(OSError, ImportError):
            import fcntl  # not on Windows

            fcntl.flock(file, fcntl.LOCK_EX)
        yield


def _pngs(tar: tarfile.TarFile) -> Iterator[tuple[str, bytes]]:
    for member in tar:
        if member.isreg() and member.name.endswith(".png"):
            png = tar.extractfile(member)
            assert png is not None
            yield member.name, png.read()
