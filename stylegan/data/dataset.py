"""The reader: a data set as one uint8 array of images, mapped from a cache file, and the labels beside it."""

from __future__ import annotations

import copy
import hashlib
from collections.abc import Iterator, Sequence
from functools import cached_property
from pathlib import Path

import numpy as np
import torch

from stylegan.data.labels import label_meanings, label_table
from stylegan.data.order import balanced_indices, members_of, shuffled_indices
from stylegan.data.ordered_map import ordered_map
from stylegan.data.sources import Source, open_source
from stylegan.errors import DataError, OutputError
from stylegan.files.atomic import atomic_file
from stylegan.files.cache import default_cache

# Without a writable cache, the images may take this much memory; 4 GB is 80,000 color images of 128x128.
_MAX_BYTES_IN_MEMORY = 4 << 30


class Dataset:
    """Equal square images with optional labels, in a fixed order.

    The first time a set is opened, its images are decoded into one array in the cache folder (`$STYLEGAN_CACHE`,
    else `~/.cache/stylegan`, there in `data/`); afterwards reading an image is reading memory.

    Args:
        path: a zip or folder in the official format, or any source of equal square images (see `open_source`).
        use_labels: read the labels; without, `label_dim` is 0.
        max_images: use a random subset of this size, the same for the same `seed`.
        mirror: add each image a second time, flipped left to right, after all the others.
        held_out: leave so many out, drawn by the seed; they become the data set `held_out`.
        workers: threads that decode. cache: another cache folder.
    Attributes:
        name: base name of `path` without its extension.
        resolution: pixels per side, a power of two. channels: 1, 3 or 4.
        label_dim: classes or length of the label vectors, counted over the whole set whatever `max_images` is.
        class_names, label_names: what each class, or each value of label vectors, means; None for the other kind and
            if not known. Values without names are called by their positions.
        held_out: the images that were left out, None without any.
        fingerprint: hex digits that change when the images do; a zip keeps them wherever it lies.
        selection: hex digits that change when `max_images`, `held_out`, `mirror` or `seed` choose other images.
    Raises: DataError for a set that is missing, empty, damaged, of mixed size or channels, not square or not a
        power of two; and when labels are asked for but are missing for all or some images.
    """

    def __init__(
        self,
        path: str | Path,
        *,
        use_labels: bool = False,
        max_images: int | None = None,
        mirror: bool = False,
        held_out: int = 0,
        seed: int = 0,
        workers: int = 4,
        cache: str | Path | None = None,
    ):
        self.path: Path | str = Path(path)
        self.name = Path(path).resolve().stem
        with open_source(path) as source:
            if not source.names:
                raise DataError(f"{path} holds no images; make a data set with `prepare`.")
            labels = source.labels() if use_labels else None
            if use_labels and labels is None:
                raise DataError(f"{path} has no labels; add a dataset.json with labels, or train without them.")
            self._labels = label_table(labels, source.names, str(path)) if labels else None
            self.fingerprint = source.fingerprint()
            file = Path(cache or default_cache()) / "data" / f"{self.fingerprint}.npy"
            self._pixels = _cached_pixels(source, workers, file)
        self.class_names, self.label_names = label_meanings(labels, self._labels)
        self.label_dim = self._labels.label_dim if self._labels else 0
        _, self.channels, self.resolution, _ = self._pixels.shape
        subset = _subset(len(self._pixels), max_images, seed)
        require_some_left(path, len(subset), held_out)
        order = np.random.RandomState([seed % 2**32, 1]).permutation(len(subset))  # another one than training's
        self.held_out: Dataset | None = None
        if held_out:
            self.held_out = copy.copy(self)
            self.held_out._select(np.sort(subset[order[:held_out]]), mirror=False)
        self._select(np.sort(subset[order[held_out:]]), mirror)

    def _select(self, index: np.ndarray, mirror: bool) -> None:
        self._index = np.concatenate([index, index]) if mirror else index
        self._flipped = np.arange(len(self._index)) >= len(index)
        self.selection = hashlib.sha256(self._index.tobytes() + self._flipped.tobytes()).hexdigest()[:16]

    def __len__(self) -> int:
        return len(self._index)

    def image(self, i: int) -> torch.Tensor:
        """Image i as uint8 [C, H, W]."""
        return self.images([i])[0]

    @cached_property
    def class_members(self) -> list[np.ndarray]:
        """The indices of the images of each class that has some. Raises: DataError unless labels are classes."""
        if self._labels is None or self._labels.values.ndim != 1:
            raise DataError(f"{self.path} has no class numbers, which balanced classes need; leave out `balanced`.")
        return members_of(self._labels.values[self._index])

    @property
    def labels_fingerprint(self) -> str:
        """Hex digits that change when the labels in use do; empty without."""
        return hashlib.sha256(self._labels.values.tobytes()).hexdigest()[:16] if self._labels else ""

    def label(self, i: int) -> torch.Tensor:
        """Label of image i as float32 [label_dim], one-hot for classes."""
        return self.labels([i])[0]

    def images(self, indices: Sequence[int] | np.ndarray | torch.Tensor) -> torch.Tensor:
        """N images, each index in [0, len(self)), as uint8 [N, C, H, W] that is free to be changed."""
        at = np.asarray(indices, np.int64)
        pixels = self._pixels[self._index[at]]
        flipped = self._flipped[at]
        if flipped.any():
            pixels[flipped] = pixels[flipped][..., ::-1]
        return torch.from_numpy(pixels)

    def order(
        self, seed: int, start: int, count: int, rank: int = 0, ranks: int = 1, *, balanced: bool = False
    ) -> np.ndarray:
        """Indices of the images that one of `ranks` processes trains on next.

        Args:
            start: images that all processes together have seen. count: images of the next step, of all together.
            balanced: every class equally often, however many images it has.
        Returns: int64 [count // ranks], a function of the arguments alone.
        """
        share = count // ranks
        if balanced:
            return balanced_indices(self.class_members, seed, start + rank * share, share)
        return shuffled_indices(len(self), seed, start + rank * share, share)

    def one_of_each_class(self, seed: int, start: int, rank: int = 0, ranks: int = 1) -> np.ndarray:
        """Indices of images that stand for the classes which a balanced `order` shows from `start` on."""
        return np.array([members[0] for members in self.class_members])

    def at_hand(
        self, seed: int, start: int, count: int, rank: int = 0, ranks: int = 1, *, balanced: bool = False
    ) -> bool:
        """Whether the images that `order` gives for these arguments can be read without waiting for a network."""
        return True

    def preview(self) -> np.ndarray:
        """Indices to choose some images from to look at, int64 [at most len(self)], in a random order."""
        return np.random.RandomState(0).permutation(len(self))

    def labels(self, indices: Sequence[int] | np.ndarray | torch.Tensor) -> torch.Tensor:
        """Labels of N images as float32 [N, label_dim]; [N, 0] without labels."""
        at = np.asarray(indices, np.int64)
        if self._labels is None:
            return torch.zeros(len(at), 0)
        return torch.from_numpy(self._labels.rows(self._index[at]))


def require_some_left(path: str | Path, images: int, held_out: int) -> int:
    """How many images are left to train on. Raises: DataError for none."""
    if held_out >= images:
        raise DataError(f"{path} has {images} images, so {held_out} cannot be held out; leave some to train on.")
    return images - held_out


def _subset(n: int, max_images: int | None, seed: int) -> np.ndarray:
    """Image numbers, int64 and sorted, as the official loader chooses them."""
    index = np.arange(n, dtype=np.int64)
    if max_images is not None and max_images < n:
        np.random.RandomState(seed % 2**32).shuffle(index)
        index = np.sort(index[:max_images])
    return index


def _cached_pixels(source: Source, workers: int, file: Path) -> np.ndarray:
    """uint8 [n, C, H, W], mapped from `file`, which is made first if it is not there or damaged."""
    n = len(source.names)
    pixels = mapped(file, n)
    if pixels is not None:
        return pixels
    stream = _decoded(source, workers)
    first = next(stream)
    shape = (n, *first.shape)
    try:
        write_npy(file, shape, first, stream)
    except OutputError as error:
        if n * first.nbytes > _MAX_BYTES_IN_MEMORY:
            raise DataError(
                f"{source.path} needs {n * first.nbytes / 1e9:.1f} GB of cache, so set STYLEGAN_CACHE to a folder "
                f"with more room: {error}"
            ) from error
        return np.stack(list(_decoded(source, workers)))
    return np.load(file, mmap_mode="r")


def mapped(file: Path, n: int) -> np.ndarray | None:
    """The n images in a file of the cache, uint8 [n, C, H, W]; None if it is not there, damaged or another."""
    try:
        pixels = np.load(file, mmap_mode="r")
    except (OSError, ValueError, EOFError):  # not there, cut short or no .npy
        return None
    fits = pixels.dtype == np.uint8 and pixels.ndim == 4 and len(pixels) == n
    return pixels if fits else None


def write_npy(file: Path, shape: tuple[int, ...], first: np.ndarray, rest: Iterator[np.ndarray]) -> None:
    """Write uint8 [n, C, H, W], given as its first image and the others, whole or not at all. Raises: OutputError."""
    # Plain writes and no memory map: on a full disk a write raises, while a map would kill the process.
    with atomic_file(file) as temporary, temporary.open("wb") as out:
        np.lib.format.write_array_header_1_0(out, {"descr": "|u1", "fortran_order": False, "shape": shape})
        out.write(first.tobytes())
        for pixels in rest:
            out.write(pixels.tobytes())


def _decoded(source: Source, workers: int) -> Iterator[np.ndarray]:
    """Each image as uint8 [C, H, W], all of the shape of the first."""

    def decode(name: str) -> np.ndarray:
        try:
            return source.image(name)
        except DataError as error:
            raise DataError(
                f"{name} of {source.path} is damaged: {error}; prepare the images again with `prepare`."
            ) from error

    expected: tuple[int, ...] = ()
    for name, img in zip(source.names, ordered_map(decode, source.names, workers), strict=True):
        if not expected:
            _require_square_power_of_two(img, f"{name} of {source.path}")
            expected = img.shape
        if img.shape != expected:
            raise DataError(
                f"{name} of {source.path} is {_describe(img.shape)}, but {source.names[0]} is {_describe(expected)}; "
                "make them equal with `prepare`."
            )
        yield img.transpose(2, 0, 1)


def _require_square_power_of_two(img: np.ndarray, name: str) -> None:
    height, width, _ = img.shape
    if width != height:
        raise DataError(f"{name} is {width}x{height}, not square; make it so with `prepare`.")
    if width < 4 or width & (width - 1):
        raise DataError(f"{name} is {width}x{height}, and {width} is no power of two from 4 on; resize with `prepare`.")


def _describe(shape: tuple[int, ...]) -> str:
    height, width, channels = shape
    return f"{width}x{height} with {channels} channel{'s' if channels > 1 else ''}"
