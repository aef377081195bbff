"""Every image in one or several tars, with the labels of `dataset.json` or of the WebDataset convention."""

from __future__ import annotations

import bz2
import gzip
import io
import json
import lzma
import tarfile
import tempfile
import threading
import zlib
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any, BinaryIO, NamedTuple

import numpy as np

from stylegan.data.labels import Label, LabelList, parse_dataset_json, parse_label
from stylegan.data.names import plain_name
from stylegan.data.source import DATASET_JSON, Source, file_digest, require_parsable, sort_out
from stylegan.errors import DataError
from stylegan.images.read import EXTENSIONS, MAX_BYTES, Header, read_header, read_image, unpacks_too_far

_PACKED: dict[bytes, Callable[..., Any]] = {b"\x1f\x8b": gzip.open, b"BZ": bz2.open, b"\xfd7": lzma.open}
_COMPANIONS = (".cls", ".json", ".txt")  # of an image, in the WebDataset convention
_BLOCK_BYTES = 1 << 20


class Tar(NamedTuple):
    """A tar that is not compressed: a path, or an open file and the byte at which the tar starts in it."""

    file: Path | BinaryIO
    start: int = 0


class _Place(NamedTuple):
    """The bytes of a file."""

    file: Path | BinaryIO
    offset: int
    size: int


def is_tar(path: Path) -> bool:
    """Return whether the file starts like a tar, plain or compressed."""
    try:
        return tarfile.is_tarfile(path)
    except Exception:  # damaged compression makes tarfile raise nearly anything
        return False


class TarSource(Source):
    """The images of tars, which are read in place: no file is unpacked, so no name in them can do harm.

    A compressed tar is first decompressed into a temporary file without a name. Hard links are followed.

    Args:
        path: of the tar, or of the folder of `tars`.
        tars: to read as one; open files are closed with the source.
    Raises: DataError if one of them is damaged.
    """

    def __init__(self, path: Path | str, tars: Sequence[Tar] | None = None):
        self.path = path
        self._tars = [Tar(_unpacked(Path(path)))] if tars is None else tars
        self._lock = threading.Lock()  # of the positions in open files
        self._members: dict[str, _Place] = {}
        refused: list[tuple[str, str]] = []
        try:
            for tar in self._tars:
                where = tar.file if isinstance(tar.file, Path) else path
                with self._opened(tar.file) as file:
                    _add_members(self._members, refused, tar, file, where)
        except OSError as error:
            self.close()
            raise DataError(f"{where} cannot be read ({error.strerror or error}).") from error
        except BaseException:
            self.close()
            raise
        images = {_key(name) for name in self._members if Path(name).suffix.lower() in EXTENSIONS}
        files = [name for name in self._members if not (name.endswith(_COMPANIONS) and _key(name) in images)]
        self.names, self.ignored, self.leftovers = sort_out(files, refused)

    def header(self, name: str) -> Header:
        return read_header(io.BytesIO(self.read(name)))

    def image(self, name: str) -> np.ndarray:
        return read_image(io.BytesIO(self.read(name)))

    def labels(self) -> LabelList | None:
        if DATASET_JSON in self._members:
            where = f"{DATASET_JSON} of {self.path}"
            require_parsable(where, self._members[DATASET_JSON].size)
            return parse_dataset_json(self.read(DATASET_JSON), where)
        by_name = {name: label for name in self.names if (label := self._companion_label(name)) is not None}
        return LabelList(by_name) if by_name else None

    def fingerprint(self) -> str:
        path = Path(self.path)
        return file_digest(sorted(path.glob("*.tar")) if path.is_dir() else [path])

    def close(self) -> None:
        for tar in self._tars:
            if not isinstance(tar.file, Path):
                tar.file.close()

    @property
    def files(self) -> Mapping[str, object]:
        """All files, images or not, by name."""
        return self._members

    def read(self, name: str) -> bytes:
        """The bytes of a file. Raises DataError, with a clause, if they are too many or cannot be read."""
        place = self._members[name]
        if place.size > MAX_BYTES:
            raise DataError(f"it has {place.size} bytes, more than the limit of {MAX_BYTES}")
        try:
            with self._opened(place.file) as file:
                file.seek(place.offset)
                content = file.read(place.size)
        except OSError as error:
            raise DataError(f"it cannot be read ({error.strerror or error})") from error
        if len(content) != place.size:
            raise DataError("the tar ends before it does")
        return content

    @contextmanager
    def _opened(self, file: Path | BinaryIO) -> Iterator[BinaryIO]:
        if isinstance(file, Path):
            with file.open("rb") as opened:
                yield opened
        else:
            with self._lock:
                yield file

    def _companion_label(self, name: str) -> Label | None:
        """The label in KEY.cls, or under "label" in KEY.json."""
        key = _key(name)
        if f"{key}.cls" in self._members:
            text = self.read(f"{key}.cls").decode("utf-8", "replace").strip()
            return parse_label(int(text) if text.isdecimal() else text, name, f"{key}.cls of {self.path}")
        if f"{key}.json" in self._members:
            with suppress(ValueError, RecursionError):
                content = json.loads(self.read(f"{key}.json"))
                if isinstance(content, dict) and content.get("label") is not None:
                    return parse_label(content["label"], name, f"{key}.json of {self.path}")
        return None


def no_room(where: object, error: OSError) -> DataError:
    """Return the error for a source that cannot be copied to a temporary file."""
    return DataError(
        f"{where} cannot be copied to {tempfile.gettempdir()} ({error.strerror or error}); set TMPDIR to a folder with "
        "more room."
    )


def _unpacked(path: Path) -> Path | BinaryIO:
    """A tar without compression: the path itself, or a temporary file. Raises DataError if it is damaged."""
    with path.open("rb") as file:
        opener = _PACKED.get(file.read(2))
    if opener is None:
        return path
    size = 0
    unpacked: BinaryIO = tempfile.TemporaryFile()  # noqa: SIM115
    try:
        with opener(path, "rb") as packed:
            for block in _blocks(packed, path):
                try:
                    size += unpacked.write(block)
                except OSError as error:
                    raise no_room(path, error) from error
                if unpacks_too_far(path.stat().st_size, size):
                    raise DataError(f"{path} is damaged: it unpacks to far more than it has; download it again.")
    except BaseException:
        unpacked.close()
        raise
    return unpacked


def _blocks(packed: BinaryIO, path: Path) -> Iterator[bytes]:
    try:
        while block := packed.read(_BLOCK_BYTES):
            yield block
    except (OSError, EOFError, ValueError, zlib.error, lzma.LZMAError) as error:
        raise DataError(f"{path} cannot be unpacked ({error}); download it again.") from error


def _add_members(
    members: dict[str, _Place], refused: list[tuple[str, str]], tar: Tar, file: BinaryIO, where: Path | str
) -> None:
    """Add the files of a tar by name, and those refused with the reason. Raises DataError if it is damaged."""
    found = set()
    file.seek(tar.start)
    try:
        with tarfile.open(fileobj=file, mode="r:") as listing:
            for member in _in_order(listing):
                name, target = plain_name(member.name), plain_name(member.linkname)
                if member.isdir():
                    continue
                if member.islnk() and target in found:
                    place = members[target]
                elif member.isreg() and not member.issparse():
                    place = _Place(tar.file, member.offset_data, member.size)
                else:
                    refused.append((name, "it is a link, a device or a sparse file of the tar"))
                    continue
                if name in found:
                    refused.append((name, "the tar holds this name more than once; the last one is used"))
                elif name in members:
                    refused.append((name, "several of the tars hold this name; the first one is used"))
                    continue
                found.add(name)
                members[name] = place
            end = listing.offset
    except Exception as error:  # damage makes tarfile raise nearly anything
        raise DataError(f"{where} is a damaged tar ({error or type(error).__name__}); download it again.") from error
    # tarfile takes a damaged header for the end, but the end is zeros.
    file.seek(end)
    if file.read(tarfile.BLOCKSIZE).strip(b"\0"):
        raise DataError(f"{where} is a damaged tar (at byte {end - tar.start}); download it again.")


def _in_order(tar: tarfile.TarFile) -> Iterator[tarfile.TarInfo]:
    while (member := tar.next()) is not None:
        yield member
        tar.members.clear()  # type: ignore[attr-defined]  # a kilobyte for each, or more


def _key(name: str) -> str:
    """The name up to the first dot of its last part, which an image and its label share."""
    folder, slash, file = name.rpartition("/")
    return folder + slash + file.partition(".")[0]
