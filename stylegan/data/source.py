"""A source of images: a sorted list of names with images and labels."""

from __future__ import annotations

import hashlib
import os
from abc import ABC, abstractmethod
from collections.abc import Iterable
from pathlib import Path
from typing import NamedTuple

import numpy as np

from stylegan.data.labels import LabelList
from stylegan.data.names import leftover
from stylegan.errors import DataError
from stylegan.images.read import EXTENSIONS, Header
from stylegan.images.unread import why_no_image

DATASET_JSON = "dataset.json"
_MAX_JSON_BYTES = 1 << 28  # the labels of five million images; parsing takes many times as much memory


class Source(ABC):
    """Images in a fixed order.

    Attributes:
        path: where it was opened, a path or the URL of shards.
        names: the images, relative names with "/", sorted as strings.
        ignored: (name, reason) of files that are not even candidates.
        leftovers: sorted names of files and folders that systems and tools left behind, see `names.py`; neither
            they nor their contents are in `names` or `ignored`.
    """

    path: Path | str
    names: list[str]
    ignored: list[tuple[str, str]]
    leftovers: list[str]

    @abstractmethod
    def header(self, name: str) -> Header:
        """Size and channels of an image. Raises DataError with a clause that says why it is unusable."""

    @abstractmethod
    def image(self, name: str) -> np.ndarray:
        """An image as uint8 [H, W, C]. Raises DataError with a clause that says why it is unusable."""

    @abstractmethod
    def labels(self) -> LabelList | None:
        """The labels that come with the images, None without. Raises DataError if they are malformed."""

    @abstractmethod
    def fingerprint(self) -> str:
        """Sixteen hex digits that change when the images do, found without reading them."""

    def close(self) -> None:  # noqa: B027 - most sources hold nothing open
        """Close open files."""

    def __enter__(self) -> Source:
        return self

    def __exit__(self, *exc_info: object) -> None:
        self.close()


class Sorted(NamedTuple):
    """The files of a source by what they are for it, see `Source`."""

    names: list[str]
    ignored: list[tuple[str, str]]
    leftovers: list[str]


def sort_out(files: Iterable[str], refused: Iterable[tuple[str, str]] = ()) -> Sorted:
    """Separate images from other files by their names; `refused` are ignored for the reasons given."""
    names, ignored = [], []
    leftovers = set()
    for name, reason in refused:
        if (left := leftover(name)) is None:
            ignored.append((name, reason))
        else:
            leftovers.add(left)
    for name in files:
        if (left := leftover(name)) is not None:
            leftovers.add(left)
        elif os.path.splitext(name)[1].lower() in EXTENSIONS:
            names.append(name)
        elif name.endswith("/" + DATASET_JSON):
            ignored.append((name, f"only a {DATASET_JSON} beside the outermost images is read"))
        elif "idx3-ubyte" in name:
            ignored.append((name, "it is an IDX file; give it as the source itself"))
        elif name != DATASET_JSON:
            ignored.append((name, why_no_image(name)))
    return Sorted(sorted(names), sorted(ignored), sorted(leftovers))


def require_parsable(where: str, size: int) -> None:
    """Raise DataError for a dataset.json of this many bytes that is too large to parse."""
    if size > _MAX_JSON_BYTES:
        raise DataError(f"{where} has {size} bytes, more than the limit of {_MAX_JSON_BYTES}; remove it.")


def digest(lines: Iterable[str]) -> str:
    """Return sixteen hex digits of the SHA-256 of some lines."""
    sha256 = hashlib.sha256()
    for line in lines:
        sha256.update(line.encode("utf-8", "surrogateescape") + b"\n")
    return sha256.hexdigest()[:16]


def file_digest(paths: Iterable[Path]) -> str:
    """Return the same for files as a whole, by their paths, sizes and times."""
    return digest(f"{path.resolve()}\n{(info := path.stat()).st_size} {info.st_mtime_ns}" for path in paths)
