"""The official data set format on disk: numbered PNGs and `dataset.json`, in an uncompressed zip or a folder."""

from __future__ import annotations

import contextlib
import io
import json
import os
import shutil
import zipfile
from pathlib import Path

import numpy as np
from PIL import Image

from stylegan.errors import OutputError


class DatasetWriter:
    """Writes under a temporary name and takes the real one only in `finish`, so no half-written set is ever seen.

    Use as a context manager: leaving it without `finish` takes all traces away. The same pictures always give the
    same bytes.

    Args:
        dest: a name that ends in .zip for an uncompressed zip, any other for a folder. Folders above it are made.
    Raises: OutputError if something is there already, or it cannot be written.
    """

    compress_level = 0  # reading is what a set is for, and this reads fastest

    def __init__(self, dest: str | Path):
        self.dest = Path(dest)
        self.as_zip = self.dest.suffix.lower() == ".zip"
        self.count = 0
        refuse_existing(self.dest, self.as_zip)
        self._partial = self.dest.with_name(f".{self.dest.name}.{os.getpid()}.partial")
        self._zip: zipfile.ZipFile | None = None
        try:
            self.dest.parent.mkdir(parents=True, exist_ok=True)
            if self.as_zip:
                self._zip = zipfile.ZipFile(self._partial, "w", zipfile.ZIP_STORED)
            else:
                self._partial.mkdir()
        except OSError as error:
            raise self._failed(error) from error

    def add(self, png: bytes) -> str:
        """Write the next picture and return its name in the set."""
        name = f"{self.count // 1000:05d}/img{self.count:08d}.png"
        self._put(name, png)
        self.count += 1
        return name

    def finish(self, dataset_json: dict[str, object]) -> None:
        """Write `dataset.json`, then give the whole its real name."""
        self._put("dataset.json", json.dumps(dataset_json).encode())
        try:
            if self._zip is not None:
                self._zip.close()
            elif self.dest.is_dir():
                self.dest.rmdir()  # empty, as checked above; some systems do not replace even an empty folder
            os.replace(self._partial, self.dest)
        except OSError as error:
            raise self._failed(error) from error

    def _put(self, name: str, content: bytes) -> None:
        try:
            if self._zip is not None:
                member = zipfile.ZipInfo(name)  # its fixed date keeps the bytes repeatable
                member.external_attr = 0o644 << 16  # or unzip would make files that nobody may read
                self._zip.writestr(member, content)
                return
            file = self._partial / name
            if self.count % 1000 == 0:
                file.parent.mkdir(exist_ok=True)
            file.write_bytes(content)
        except OSError as error:
            raise self._failed(error) from error

    def _failed(self, error: OSError) -> OutputError:
        return OutputError(f"cannot write {self.dest} ({error.strerror or error}); choose another place.")

    def __enter__(self) -> DatasetWriter:
        return self

    def __exit__(self, *exc_info: object) -> None:
        if self._zip is not None:
            with contextlib.suppress(OSError):  # a full disk, already reported by the write that met it
                self._zip.close()
        if self._partial.is_dir():
            shutil.rmtree(self._partial, ignore_errors=True)
        else:
            self._partial.unlink(missing_ok=True)


def encode_png(img: np.ndarray, *, compress_level: int) -> bytes:
    """uint8 [H, W, C], C = 1, 3 or 4, as the bytes of a PNG."""
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
        raise OutputError(f"cannot look at {dest} ({error.strerror or error}); choose another place.") from error
    if taken:
        raise OutputError(f"{dest} is there already; remove it or choose another name.")
