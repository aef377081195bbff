"""The images of a folder, zip or IDX file as one array: decoded once into the cache, or each time from the source."""

from __future__ import annotations

import threading
import warnings
from collections.abc import Callable, Iterable

import numpy as np

from stylegan.data.cache import PixelCache
from stylegan.data.ordered_map import ordered_map
from stylegan.data.sources import Source
from stylegan.errors import DataError, OutputError

_BYTES_IN_MEMORY = 1 << 30  # of images that are read without a cache: 20,000 color images of 128x128

Track = Callable[[Iterable[np.ndarray], str, int], Iterable[np.ndarray]]  # images, what is done, how many -> the images


def untracked(images: Iterable[np.ndarray], what: str, total: int) -> Iterable[np.ndarray]:
    """Return the images unchanged."""
    return images


class SourcePixels:
    """Indexes like an array uint8 [n, C, H, W] of all images of a source.

    Opening looks at the header of the first image alone. The first read, or `fill_cache`, decodes all images into one
    file of the cache, from where reading an image is reading memory. A set that the cache cannot hold is decoded image
    by image whenever it is read, and a RuntimeWarning says so once; the first gigabyte of it stays in memory.

    Args:
        source: an open source with at least one image; closed once the cache has the images.
        name: of the file in the cache.
        workers: threads that decode.
    Attributes:
        shape: (n, C, H, W).
    Raises: DataError if the first image is damaged, not square or no power of two; later, for images that are damaged
        or of another shape.
    """

    def __init__(self, source: Source, name: str, workers: int, cache: PixelCache):
        self._source, self._name, self._workers, self._cache = source, name, workers, cache
        first = source.names[0]
        try:
            header = source.header(first)
        except DataError as error:
            raise self._damaged(first, error) from error
        _require_square_power_of_two(header.width, header.height, f"{first} of {source.path}")
        self.shape = (len(source.names), header.channels, header.height, header.width)
        self._mapped: np.ndarray | None = None
        self._uncached = False  # the cache was found unable to hold the set
        self._in_memory: dict[int, np.ndarray] = {}  # decoded images without a cache
        self._lock = threading.Lock()

    def __getitem__(self, index: np.ndarray) -> np.ndarray:
        """Copies of N images, int64 [N] -> uint8 [N, C, H, W]."""
        self.fill_cache()
        if self._mapped is not None:
            return self._mapped[index]
        wanted = index.tolist()
        images = {i: self._in_memory[i] for i in wanted if i in self._in_memory}
        missing = [i for i in dict.fromkeys(wanted) if i not in images]
        room = _BYTES_IN_MEMORY // (self.nbytes // self.shape[0])
        for i, image in zip(missing, ordered_map(self._decode, missing, self._workers), strict=True):
            images[i] = image
            if len(self._in_memory) < room:
                self._in_memory[i] = image
        out = np.empty((len(wanted), *self.shape[1:]), np.uint8)
        for place, i in zip(out, wanted, strict=True):
            place[:] = images[i]
        return out

    @property
    def nbytes(self) -> int:
        """Bytes of all images."""
        return int(np.prod(self.shape))

    def cache_bytes_needed(self) -> int:
        """Bytes by which `fill_cache` makes the cache grow: 0 if it has the images already, or cannot keep them."""
        if self._mapped is not None or self._cache.get(self._name, self.shape) is not None:
            return 0
        return self._cache.growth(self.nbytes) if self.nbytes <= self._cache.max_bytes else 0

    def fill_cache(self, track: Track = untracked) -> None:
        """Decode all images into the cache, unless it has them already or cannot hold them.

        Args:
            track: is called only if images are decoded, and shows progress as they pass through it.
        """
        with self._lock:
            if self._mapped is not None or self._uncached:
                return
            self._mapped = self._cache.get(self._name, self.shape)
            if self._mapped is None:
                self._decode_all(track)
            if self._mapped is not None:
                self._source.close()

    def _decode_all(self, track: Track) -> None:
        size = f"{self.nbytes / 1e9:.3g} GB"
        reason = self._cache.refusal(self.nbytes)
        if reason is None:
            images = ordered_map(self._decode, range(self.shape[0]), self._workers)
            shown = track(images, f"Decoding {self._source.path} into {self._cache.folder} ({size})", self.shape[0])
            try:
                self._mapped = self._cache.put(self._name, self.shape, shown)
                return
            except OutputError as error:
                reason = str(error).rstrip(".")
        self._uncached = True
        warnings.warn(
            f"the images of {self._source.path} are decoded at every use, which is slower: decoded they take {size}, "
            f"and {reason}.",
            RuntimeWarning,
            stacklevel=4,
        )

    def _decode(self, i: int) -> np.ndarray:
        """One image, uint8 [C, H, W]."""
        name = self._source.names[i]
        try:
            img = self._source.image(name).transpose(2, 0, 1)
        except DataError as error:
            raise self._damaged(name, error) from error
        if img.shape != self.shape[1:]:
            raise DataError(
                f"{name} of {self._source.path} is {_describe(img.shape)}, but {self._source.names[0]} is "
                f"{_describe(self.shape[1:])}; make them equal with `prepare`."
            )
        return img

    def _damaged(self, name: str, error: DataError) -> DataError:
        return DataError(f"{name} of {self._source.path} is damaged: {error}; prepare the images again with `prepare`.")


def _require_square_power_of_two(width: int, height: int, name: str) -> None:
    if width != height:
        raise DataError(f"{name} is {width}x{height}, not square; make it so with `prepare`.")
    if width < 4 or width & (width - 1):
        raise DataError(f"{name} is {width}x{height}, and {width} is no power of two from 4 on; resize with `prepare`.")


def _describe(shape: tuple[int, ...]) -> str:
    channels, height, width = shape
    return f"{width}x{height} with {channels} channel{'s' if channels > 1 else ''}"
