"""Sources of images: a folder, zip or IDX file as a sorted list of names with images and labels."""

from __future__ import annotations

import hashlib
import io
import os
import stat
import zipfile
from abc import ABC, abstractmethod
from collections.abc import Iterable
from pathlib import Path

import numpy as np

from stylegan.data.idx import is_idx, read_idx
from stylegan.data.labels import LabelList, parse_dataset_json
from stylegan.errors import DataError
from stylegan.images.read import (
    CONVERTIBLE,
    EXTENSIONS,
    MAX_BYTES,
    Header,
    convert_first,
    read_header,
    read_image,
    unpacks_too_far,
)

DATASET_JSON = "dataset.json"
_MAX_JSON_BYTES = 1 << 28  # the labels of five million images; parsing takes many times as much memory
_LOCAL_HEADER_BYTES = 30  # of a zip entry, before its name


class Source(ABC):
    """Images in a fixed order.

    Attributes:
        path: where it was opened.
        names: the images, relative names with "/", sorted as strings.
        ignored: (name, reason) of files that are not even candidates.
    """

    path: Path
    names: list[str]
    ignored: list[tuple[str, str]]

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


def open_source(path: str | Path) -> Source:
    """Open a folder of images (any depth), a zip of images, or an IDX file of images (plain or gzipped).

    Raises: DataError if there is nothing at `path`, or it is none of the three.
    """
    path = Path(path)
    try:
        mode = path.stat().st_mode
        if stat.S_ISDIR(mode):
            return FolderSource(path)
        if stat.S_ISREG(mode) and zipfile.is_zipfile(path):
            return ZipSource(path)
        if stat.S_ISREG(mode) and is_idx(path):
            return IdxSource(path)
    except (FileNotFoundError, NotADirectoryError):
        raise DataError(f"there is nothing at {path}; give a folder, a zip or an IDX file of images.") from None
    except (OSError, zipfile.BadZipFile) as error:
        raise DataError(f"{path} cannot be opened ({error}).") from error
    if path.suffix.lower() == ".zip":
        raise DataError(f"{path} is truncated or not a zip; download it again.")
    raise DataError(f"{path} is neither a folder, nor a zip, nor an IDX file of images.")


class FolderSource(Source):
    """Every image below a folder. Links to folders are followed, but no folder is entered twice."""

    def __init__(self, path: Path):
        self.path = path
        unreadable: list[tuple[str, str]] = []
        self._stats = {name: (info.st_size, info.st_mtime_ns) for name, info in _walk(path, unreadable)}
        self.names, self.ignored = _sort_out(self._stats)
        self.ignored = sorted(self.ignored + unreadable)

    def header(self, name: str) -> Header:
        return read_header(self.path / name)

    def image(self, name: str) -> np.ndarray:
        return read_image(self.path / name)

    def labels(self) -> LabelList | None:
        if DATASET_JSON not in self._stats:
            return None
        file = self.path / DATASET_JSON
        _require_parsable(str(file), self._stats[DATASET_JSON][0])
        try:
            return parse_dataset_json(file.read_bytes(), str(file))
        except OSError as error:
            raise DataError(f"{file} cannot be read ({error}).") from error

    def fingerprint(self) -> str:
        # The path is included: two sets unpacked from archives can agree in all names, sizes and times.
        return _digest([str(self.path.resolve()), *(f"{name} {self._stats[name]}" for name in self.names)])


class ZipSource(Source):
    """Every image in a zip, read in place: nothing is unpacked to disk, so no name in it can do harm."""

    def __init__(self, path: Path):
        self.path = path
        try:
            self._zip = zipfile.ZipFile(path)
        except OSError:
            raise
        except Exception as error:  # a damaged list of files makes zipfile raise nearly anything
            raise DataError(f"{path} is a damaged zip ({error}); download it again.") from error
        self._members, refused = _members(self._zip, path.stat().st_size)
        self.names, self.ignored = _sort_out(self._members)
        self.ignored = sorted(self.ignored + refused)

    def header(self, name: str) -> Header:
        return read_header(self._open(name))

    def image(self, name: str) -> np.ndarray:
        return read_image(self._open(name))

    def labels(self) -> LabelList | None:
        if DATASET_JSON not in self._members:
            return None
        where = f"{DATASET_JSON} of {self.path}"
        _require_parsable(where, self._members[DATASET_JSON].file_size)
        try:
            return parse_dataset_json(self._open(DATASET_JSON).getvalue(), where)
        except DataError as error:
            raise error if where in str(error) else DataError(f"{where}: {error}.") from error

    def fingerprint(self) -> str:
        return _digest(f"{name} {self._members[name].CRC}" for name in self.names)

    def close(self) -> None:
        self._zip.close()

    def _open(self, name: str) -> io.BytesIO:
        member = self._members[name]
        if member.file_size > MAX_BYTES or unpacks_too_far(member.compress_size, member.file_size):
            raise DataError(f"it unpacks from {member.compress_size} bytes to {member.file_size}, which is too much")
        try:
            return io.BytesIO(self._zip.read(member))
        except Exception as error:  # wrong checksum, password, unknown compression: zipfile has one type for each
            raise DataError(f"it cannot be unpacked ({error or type(error).__name__})") from error


class IdxSource(Source):
    """The gray images of an IDX file, with the labels of the file beside it when there is one.

    Images of 28x28 (MNIST and its relatives) get 2 black pixels on each side, as is usual, and become 32x32.
    """

    def __init__(self, path: Path):
        self.path = path
        self._images = read_idx(path)
        if self._images.ndim != 3:
            raise DataError(f"{path} holds labels; give the file of images, whose name has images-idx3 in it.")
        if self._images.shape[1:] == (28, 28):
            self._images = np.pad(self._images, ((0, 0), (2, 2), (2, 2)))
        self.names = [f"{index:08d}" for index in range(len(self._images))]
        self.ignored = []

    def header(self, name: str) -> Header:
        _, height, width = self._images.shape
        return Header(width, height, channels=1, color=False)

    def image(self, name: str) -> np.ndarray:
        return self._images[int(name), :, :, None]

    def labels(self) -> LabelList | None:
        file = self.path.with_name(self.path.name.replace("images-idx3", "labels-idx1"))
        if file == self.path or not file.is_file():
            return None
        classes = read_idx(file)
        if classes.shape != (len(self.names),):
            raise DataError(f"{file} holds {len(classes)} labels for the {len(self.names)} images of {self.path}.")
        return LabelList(dict(zip(self.names, classes.tolist(), strict=True)))

    def fingerprint(self) -> str:
        info = self.path.stat()
        return _digest([str(self.path.resolve()), f"{info.st_size} {info.st_mtime_ns}"])


def _walk(root: Path, unreadable: list[tuple[str, str]]) -> Iterable[tuple[str, os.stat_result]]:
    """Each regular file below `root` with its relative name; what cannot be looked at goes to `unreadable`."""

    def note(error: OSError) -> None:
        unreadable.append((os.path.relpath(error.filename, root), f"it cannot be opened ({error.strerror})"))

    entered = set()
    for folder, subfolders, files in os.walk(root, followlinks=True, onerror=note):
        entered.add(os.path.realpath(folder))
        # Sorted, so that of two links to one folder always the same one is followed; entered ones end link loops.
        subfolders[:] = [s for s in sorted(subfolders) if os.path.realpath(os.path.join(folder, s)) not in entered]
        for file in files:
            path = os.path.join(folder, file)
            try:
                info = os.stat(path)
            except OSError as error:
                note(error)
                continue
            name = os.path.relpath(path, root).replace(os.sep, "/")
            if stat.S_ISREG(info.st_mode):
                yield name, info
            else:
                unreadable.append((name, "it is a device or a pipe, not a file"))


def _members(file: zipfile.ZipFile, size: int) -> tuple[dict[str, zipfile.ZipInfo], list[tuple[str, str]]]:
    """The files of a zip of `size` bytes by name, with "/" between folders, and those refused with the reason."""
    entries = sorted(file.infolist(), key=lambda entry: entry.header_offset)
    ends = [*(entry.header_offset for entry in entries), size][1:]
    members: dict[str, zipfile.ZipInfo] = {}
    refused = []
    for entry, end in zip(entries, ends, strict=False):  # neither, without entries
        name = entry.filename.replace("\\", "/")  # some programs for Windows write those
        if name.endswith("/"):
            continue
        if entry.header_offset + _LOCAL_HEADER_BYTES + entry.compress_size > end:
            refused.append((name, "it shares its bytes with another entry of the zip, or is beyond its end"))
            continue
        if name in members:
            refused.append((name, "the zip holds this name more than once; the last one is used"))
        members[name] = entry
    return members, refused


def _require_parsable(where: str, size: int) -> None:
    if size > _MAX_JSON_BYTES:
        raise DataError(f"{where} has {size} bytes, more than the limit of {_MAX_JSON_BYTES}; remove it.")


def _sort_out(files: Iterable[str]) -> tuple[list[str], list[tuple[str, str]]]:
    """Sorted names of those that look like images, and the others with the reason."""
    images, others = [], []
    for name in sorted(files):
        extension = os.path.splitext(name)[1].lower()
        if extension in EXTENSIONS:
            images.append(name)
        elif name.endswith("/" + DATASET_JSON):
            others.append((name, f"only a {DATASET_JSON} beside the outermost images is read"))
        elif "idx3-ubyte" in name:
            others.append((name, "it is an IDX file; give it as the source itself"))
        elif extension in CONVERTIBLE:
            others.append((name, convert_first(CONVERTIBLE[extension])))
        elif name != DATASET_JSON:
            others.append((name, f"it is not an image ({extension or 'no extension'})"))
    return images, others


def _digest(lines: Iterable[str]) -> str:
    digest = hashlib.sha256()
    for line in lines:
        digest.update(line.encode("utf-8", "surrogateescape") + b"\n")
    return digest.hexdigest()[:16]
