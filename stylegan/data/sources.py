"""Sources of images: a folder, zip, tar, IDX file and others as a sorted list of names with images and labels."""

from __future__ import annotations

import io
import os
import stat
import zipfile
from collections.abc import Iterable
from pathlib import Path

import numpy as np

from stylegan.data.cifar import CifarSource, is_cifar
from stylegan.data.idx import is_idx, read_idx
from stylegan.data.labels import LabelList, parse_dataset_json
from stylegan.data.names import is_leftover, plain_name
from stylegan.data.shards.index import is_sharded
from stylegan.data.shards.source import ShardSource
from stylegan.data.source import DATASET_JSON, Source, digest, file_digest, require_parsable, sort_out
from stylegan.data.tars import Tar, TarSource, is_tar
from stylegan.data.tfrecords import EXTENSION as TFRECORDS
from stylegan.data.tfrecords import TFRecordSource
from stylegan.errors import DataError
from stylegan.images.read import MAX_BYTES, Header, read_header, read_image, unpacks_too_far
from stylegan.images.unread import known_unread

_ARCHIVES = (".zip", ".tar", ".tgz", ".tar.gz", ".tar.bz2", ".tbz2", ".tar.xz", ".txz")
_LOCAL_HEADER_BYTES = 30  # of a zip entry, before its name


def open_source(path: str | Path) -> Source:
    """Open images of any kind that is read.

    Args:
        path: a folder of images (any depth); a zip or tar of them, the tar also compressed; a folder of tars in the
            WebDataset convention; the tar of CIFAR for Python; an IDX file, plain or gzipped; a TFRecord file of the
            first generations, or a folder of them; or the shards that `prepare` wrote: their folder, its URL or that of
            their index.
    Raises: DataError if there is nothing at `path`, or it is none of these.
    """
    if is_sharded(path):
        return ShardSource(str(path))
    path = Path(path)
    try:
        mode = path.stat().st_mode
        if stat.S_ISDIR(mode):
            return _open_folder(path)
        if stat.S_ISREG(mode) and zipfile.is_zipfile(path) and not _is_of_another_kind(path):
            return ZipSource(path)
        if stat.S_ISREG(mode) and is_idx(path):
            return IdxSource(path)
        if stat.S_ISREG(mode) and path.suffix == TFRECORDS:
            return TFRecordSource(path)
        if stat.S_ISREG(mode) and is_tar(path):
            return _open_tar(path)
    except (FileNotFoundError, NotADirectoryError):
        raise DataError(f"there is nothing at {path}; give a folder, a zip or an IDX file of images.") from None
    except (OSError, zipfile.BadZipFile) as error:
        raise DataError(f"{path} cannot be opened ({error}).") from error
    if path.name.lower().endswith(_ARCHIVES):
        kind = "zip" if path.suffix.lower() == ".zip" else "tar"
        raise DataError(f"{path} is truncated or not a {kind}; download it again.")
    if (reason := known_unread(path.name)) is not None:
        raise DataError(f"{path} is no source of images: {reason}.")
    raise DataError(f"{path} is neither a folder, nor a zip or tar, nor an IDX or TFRecord file of images.")


def _open_folder(path: Path) -> Source:
    source = FolderSource(path)
    if source.names:
        return source
    other = {os.path.splitext(name)[1] for name, _ in source.ignored if "/" not in name}
    if TFRECORDS in other:
        return TFRecordSource(path)
    if ".tar" in other:
        return TarSource(path, [Tar(tar) for tar in sorted(path.glob("*.tar"))])
    if is_cifar(name for name, _ in source.ignored):
        raise DataError(f"{path} holds the batches of CIFAR; give the tar that they came in.")
    if ".mdb" in other:
        raise DataError(f"{path} is no source of images: {known_unread('data.mdb')}.")
    return source


def _is_of_another_kind(zipped: Path) -> bool:
    """Return whether a zip is a file of another kind by its name, such as .npz."""
    return zipped.suffix.lower() != ".zip" and known_unread(zipped.name) is not None


def _open_tar(path: Path) -> Source:
    source = TarSource(path)
    return CifarSource(source) if not source.names and is_cifar(source.files) else source


class FolderSource(Source):
    """Every image below a folder. Links to folders are followed, but no folder is entered twice."""

    path: Path

    def __init__(self, path: Path):
        self.path = path
        unreadable: list[tuple[str, str]] = []
        leftovers: list[str] = []
        self._stats = {name: (info.st_size, info.st_mtime_ns) for name, info in _walk(path, unreadable, leftovers)}
        self.names, self.ignored, _ = sort_out(self._stats, unreadable)
        self.leftovers = sorted(leftovers)

    def header(self, name: str) -> Header:
        return read_header(self.path / name)

    def image(self, name: str) -> np.ndarray:
        return read_image(self.path / name)

    def labels(self) -> LabelList | None:
        if DATASET_JSON not in self._stats:
            return None
        file = self.path / DATASET_JSON
        require_parsable(str(file), self._stats[DATASET_JSON][0])
        try:
            return parse_dataset_json(file.read_bytes(), str(file))
        except OSError as error:
            raise DataError(f"{file} cannot be read ({error}).") from error

    def fingerprint(self) -> str:
        # The path is included: two sets unpacked from archives can agree in all names, sizes and times.
        return digest([str(self.path.resolve()), *(f"{name} {self._stats[name]}" for name in self.names)])


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
        self.names, self.ignored, self.leftovers = sort_out(self._members, refused)

    def header(self, name: str) -> Header:
        return read_header(self._open(name))

    def image(self, name: str) -> np.ndarray:
        return read_image(self._open(name))

    def labels(self) -> LabelList | None:
        if DATASET_JSON not in self._members:
            return None
        where = f"{DATASET_JSON} of {self.path}"
        require_parsable(where, self._members[DATASET_JSON].file_size)
        try:
            return parse_dataset_json(self._open(DATASET_JSON).getvalue(), where)
        except DataError as error:
            raise error if where in str(error) else DataError(f"{where}: {error}.") from error

    def fingerprint(self) -> str:
        return digest(f"{name} {self._members[name].CRC}" for name in self.names)

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

    path: Path

    def __init__(self, path: Path):
        self.path = path
        self._images = read_idx(path)
        if self._images.ndim != 3:
            raise DataError(f"{path} holds labels; give the file of images, whose name has images-idx3 in it.")
        if self._images.shape[1:] == (28, 28):
            self._images = np.pad(self._images, ((0, 0), (2, 2), (2, 2)))
        self.names = [f"{index:08d}" for index in range(len(self._images))]
        self.ignored, self.leftovers = [], []

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
        return file_digest([self.path])


def _walk(root: Path, unreadable: list[tuple[str, str]], leftovers: list[str]) -> Iterable[tuple[str, os.stat_result]]:
    """Each regular file below `root` with its relative name; what cannot be looked at goes to `unreadable`.

    The names of leftovers go to `leftovers`; nothing below them is looked at.
    """

    def relative(path: str) -> str:
        return os.path.relpath(path, root).replace(os.sep, "/")

    def note(error: OSError) -> None:
        unreadable.append((relative(error.filename), f"it cannot be opened ({error.strerror})"))

    entered = set()
    for folder, subfolders, files in os.walk(root, followlinks=True, onerror=note):
        entered.add(_identity(folder))
        leftovers += [relative(os.path.join(folder, name)) for name in subfolders + files if is_leftover(name)]
        # Sorted, so that of two links to one folder always the same one is followed; entered ones end link loops.
        subfolders[:] = [
            subfolder
            for subfolder in sorted(subfolders)
            if not is_leftover(subfolder) and _identity(os.path.join(folder, subfolder)) not in entered
        ]
        for file in files:
            if is_leftover(file):
                continue
            path = os.path.join(folder, file)
            try:
                info = os.stat(path)
            except OSError as error:
                note(error)
                continue
            name = relative(path)
            if stat.S_ISREG(info.st_mode):
                yield name, info
            else:
                unreadable.append((name, "it is a device or a pipe, not a file"))


def _identity(folder: str) -> object:
    """A value that all paths of one folder share."""
    try:
        info = os.stat(folder)
    except OSError:  # os.walk will report it
        return folder
    return (info.st_dev, info.st_ino) if info.st_ino else os.path.realpath(folder)


def _members(file: zipfile.ZipFile, size: int) -> tuple[dict[str, zipfile.ZipInfo], list[tuple[str, str]]]:
    """The files of a zip of `size` bytes by name, with "/" between folders, and those refused with the reason."""
    entries = sorted(file.infolist(), key=lambda entry: entry.header_offset)
    ends = [*(entry.header_offset for entry in entries), size][1:]
    members: dict[str, zipfile.ZipInfo] = {}
    refused = []
    for entry, end in zip(entries, ends, strict=False):  # neither, without entries
        if entry.filename.endswith(("/", "\\")):
            continue
        name = plain_name(entry.filename)
        if entry.header_offset + _LOCAL_HEADER_BYTES + entry.compress_size > end:
            refused.append((name, "it shares its bytes with another entry of the zip, or is beyond its end"))
            continue
        if name in members:
            refused.append((name, "the zip holds this name more than once; the last one is used"))
        members[name] = entry
    return members, refused
