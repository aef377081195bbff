"""Write the official data set format: numbered PNGs and `dataset.json`, in an uncompressed zip or a folder."""

from __future__ import annotations

import io
import json
import zipfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import numpy as np
from PIL import Image

from stylegan.errors import OutputError
from stylegan.files.archives import add_to_zip
from stylegan.files.atomic import atomic_file, atomic_folder, cannot_write


@contextmanager
def dataset_writer(dest: Path) -> Iterator[DatasetWriter]:
    """Write a data set that appears, complete, when the block ends without an error. Equal images give equal bytes.

    Args:
        dest: a name that ends in .zip for an uncompressed zip, any other for a folder. Folders above it are made.
    Raises: OutputError if the destination exists, or cannot be written.
    """
    as_zip = dest.suffix.lower() == ".zip"
    refuse_existing(dest, as_zip)
    if as_zip:
        with atomic_file(dest) as file, zipfile.ZipFile(file, "w", zipfile.ZIP_STORED) as archive:
            yield DatasetWriter(lambda name, content: add_to_zip(archive, name, content))
    else:
        with atomic_folder(dest) as folder:
            yield DatasetWriter(lambda name, content: _add_to_folder(folder, name, content))


class DatasetWriter:
    """Names the files of a set and hands them to `put`, which takes a name and the bytes."""

    compress_level = 0  # the fastest to read

    def __init__(self, put: Callable[[str, bytes], None]):
        self._put, self._count = put, 0

    def add(self, png: bytes) -> str:
        """Write the next image and return its name in the set."""
        name = f"{self._count // 1000:05d}/img{self._count:08d}.png"
        self._put(name, png)
        self._count += 1
        return name

    def finish(self, dataset_json: dict[str, object]) -> None:
        """Write `dataset.json`, after the last image."""
        self._put("dataset.json", json.dumps(dataset_json).encode())


def _add_to_folder(folder: Path, name: str, content: bytes) -> None:
    (folder / name).parent.mkdir(exist_ok=True)
    (folder / name).write_bytes(content)


def encode_png(img: np.ndarray, *, compress_level: int) -> bytes:
    """Return uint8 [H, W, C], C = 1, 3 or 4, as the bytes of a PNG."""
    png = io.BytesIO()
    Image.fromarray(img[:, :, 0] if img.shape[2] == 1 else img).save(png, "PNG", compress_level=compress_level)
    return png.getvalue()


def refuse_existing(dest: Path, as_zip: bool) -> None:
    """Raise OutputError unless `dest` is free, an empty folder, or for a zip an empty file."""
    try:
        if dest.is_dir():
            taken = as_zip or any(dest.iterdir())
        else:
            taken = dest.exists() and not (as_zip and dest.stat().st_size == 0)
    except OSError as error:
        raise cannot_write(dest, error) from error
    if taken:
        raise OutputError(f"{dest} exists already; remove it or choose another name.")
