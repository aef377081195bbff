"""Opening a data set of any kind."""

from __future__ import annotations

import hashlib
import warnings
from dataclasses import replace
from functools import partial
from pathlib import Path

import numpy as np

from stylegan.data.cache import PixelCache
from stylegan.data.class_folders import class_folders, folder_labels
from stylegan.data.dataset import Dataset
from stylegan.data.labels import LabelTable, empty_classes, label_table
from stylegan.data.pixels import SourcePixels
from stylegan.data.shards.index import INDEX, is_sharded, parse_index, read_labels
from stylegan.data.shards.pixels import ShardPixels
from stylegan.data.shards.remote import is_url, read_bytes
from stylegan.data.sources import open_source
from stylegan.data.subset import Subset, leading_subset, random_subset
from stylegan.errors import DataError
from stylegan.files.cache import default_cache
from stylegan.files.paths import local_path


def open_dataset(
    path: str | Path,
    *,
    use_labels: bool = False,
    max_images: int | None = None,
    mirror: bool = False,
    mirror_y: bool = False,
    held_out: int = 0,
    seed: int = 0,
    workers: int = 4,
    cache: str | Path | None = None,
    cache_gb: float = 32,
    processes: int = 1,
) -> Dataset:
    """Open a data set; its images are decoded into the cache folder when they are first read.

    Args:
        path: a zip or folder in the official format, or any source of equal square images (see `open_source`); or the
            shards that `prepare` wrote: their folder, its URL or that of their index.
        use_labels: read the labels; without, `label_dim` is 0.
        max_images: use a random subset of this size, the same for the same `seed`. Of shards, in which the images are
            shuffled already, the first ones.
        mirror: add each image a second time, flipped left to right, after all the others.
        mirror_y: add all of these a second time, flipped upside down.
        held_out: leave this number of images out, drawn by the seed, or the last ones of shards; they become the data
            set `held_out`.
        workers: threads that decode; the images are the same with any number.
        cache: the cache folder, which keeps the decoded images in `data/`; by default `$STYLEGAN_CACHE`, else
            `~/.cache/stylegan`.
        cache_gb: gigabytes that the decoded images of all data sets may take there; those that were unused for the
            longest time leave first. A set without shards that needs more is decoded image by image at every use.
        processes: processes of this machine that read shards, all through this cache.
    Raises: DataError for a set that is missing, empty, damaged, not square or not a power of two, and when labels are
        asked for but are missing for all or some images; when images are read, for those that are damaged or unlike
        the first, and for a shard that cannot be read after four tries. MissingExtra if the package that reads this
        kind of URL is not installed.
    """
    path = path if is_url(path) else local_path(path)
    pixel_cache = PixelCache(local_path(cache or default_cache()) / "data", int(cache_gb * 1e9))
    if is_sharded(path):
        whole = _open_shards(str(path), use_labels, workers, pixel_cache, processes)
        choose = partial(leading_subset, whole.subset.shard_sizes)
    else:
        whole = _open_source(local_path(path), use_labels, workers, pixel_cache)
        choose = partial(random_subset, len(whole))
    used, left_out = choose(
        max_images=max_images, held_out=held_out, mirror=mirror, mirror_y=mirror_y, seed=seed, where=path
    )
    return replace(whole, subset=used, held_out=replace(whole, subset=left_out) if left_out else None)


def _open_source(path: Path, use_labels: bool, workers: int, cache: PixelCache) -> Dataset:
    """The whole of a folder, zip or IDX file."""
    source = open_source(path)
    if not source.names:
        raise DataError(f"{path} holds no images; make a data set with `prepare`.")
    labels = source.labels() if use_labels else None
    if use_labels and labels is None:
        if folder_labels(class_folders(source.names)):
            raise DataError(
                f"{path} has class folders and no dataset.json; make a data set with labels of it with `prepare`, or "
                "train without them."
            )
        raise DataError(f"{path} has no labels; add a dataset.json with labels, or use it without them.")
    fingerprint = source.fingerprint()
    return Dataset(
        path=path,
        name=path.resolve().stem,
        fingerprint=fingerprint,
        pixels=SourcePixels(source, fingerprint, workers, cache),
        label_table=_with_warning(label_table(labels, source.names, str(path)), path) if labels else None,
        subset=Subset(np.arange(len(source.names))),
    )


def _open_shards(path: str, use_labels: bool, workers: int, cache: PixelCache, processes: int) -> Dataset:
    """The whole of a folder of shards, or of its URL; nothing else is read from there."""
    root = path.rstrip("/").removesuffix(f"/{INDEX}")
    if root.lower().endswith((".zip", ".tar", ".gz", ".tgz")):
        raise DataError(
            f"{root} is a URL of a file, and only shards are read from URLs; download it, then give its path."
        )
    content = read_bytes(f"{root}/{INDEX}")
    index = parse_index(content, f"{root}/{INDEX}")
    fingerprint = hashlib.sha256(content).hexdigest()[:16]
    pixels = ShardPixels(root, index, f"{fingerprint}.shards", workers, cache)
    pixels.require_room(processes)
    return Dataset(
        path=root if is_url(root) else Path(root),
        name=root.rpartition("/")[2],
        fingerprint=fingerprint,
        pixels=pixels,
        label_table=_with_warning(read_labels(root, index), root) if use_labels else None,
        subset=Subset(np.arange(index.images), shard_sizes=tuple(shard.images for shard in index.shards)),
    )


def _with_warning(table: LabelTable, where: object) -> LabelTable:
    """Return the labels, and warn of classes without images, whose number is part of the size of the network."""
    if table.values.ndim == 1 and (clause := empty_classes(table.values, table.class_names)) is not None:
        warnings.warn(f"{where}: {clause}.", RuntimeWarning, stacklevel=4)
    return table
