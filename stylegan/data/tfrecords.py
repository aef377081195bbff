"""The TFRecords of Progressive GAN, StyleGAN and StyleGAN2, without TensorFlow: NAME-r08.tfrecords, NAME-rxx.labels."""

from __future__ import annotations

import math
import struct
from collections.abc import Iterator
from pathlib import Path

import numpy as np

from stylegan.data.labels import LabelList
from stylegan.data.source import Source, file_digest
from stylegan.errors import DataError
from stylegan.images.read import MAX_BYTES, Header

EXTENSION = ".tfrecords"
_LENGTH_BYTES, _CHECKSUM_BYTES = 8, 4  # before and after each record; the length has a checksum too


class TFRecordSource(Source):
    """The images of one TFRecord file, each a `tf.train.Example` with `shape` (C, H, W) and `data` (raw bytes).

    Labels are those of NAME-rxx.labels beside it: one-hot rows become class numbers. Checksums are not verified.

    Args:
        path: of the file, or of a folder with one for each resolution, whose largest is taken.
    """

    def __init__(self, path: Path):
        self.path = path
        self._file = max(path.glob(f"*{EXTENSION}")) if path.is_dir() else path  # -r10 is after -r09
        self._places = list(_records(self._file))
        self.names = [f"{index:08d}" for index in range(len(self._places))]
        self.ignored, self.leftovers = [], []
        self._headers: dict[int, Header] = {}  # by length of the record, which is that of the shape

    def header(self, name: str) -> Header:
        _, length = self._places[int(name)]
        if length not in self._headers:
            height, width, channels = self.image(name).shape
            self._headers[length] = Header(width, height, channels, color=channels > 1)
        return self._headers[length]

    def image(self, name: str) -> np.ndarray:
        offset, length = self._places[int(name)]
        try:
            with self._file.open("rb") as file:
                file.seek(offset)
                features = _features(memoryview(file.read(length)))
            if not {"shape", "data"} <= features.keys():
                found = ", ".join(sorted(features)) or "nothing"
                raise DataError(f"its record holds {found}, expected shape and data; save the images as PNG files")
            shape, data = _numbers(features["shape"]), _first(features["data"])
        except (OSError, ValueError, IndexError) as error:
            raise DataError(f"its record cannot be read ({error})") from error
        if len(shape) != 3 or shape[0] not in (1, 3, 4) or math.prod(shape) != len(data) or len(data) == 0:
            raise DataError(f"its record has {len(data)} bytes for an image of shape {shape}, expected C, H, W")
        return np.frombuffer(data, np.uint8).reshape(shape).transpose(1, 2, 0)

    def labels(self) -> LabelList | None:
        file = self._file.with_name(f"{self._file.stem.rpartition('-r')[0]}-rxx.labels")
        if not file.is_file():
            return None
        try:
            rows = np.load(file, allow_pickle=False)
        except (OSError, ValueError, EOFError) as error:
            raise DataError(f"{file} is damaged ({error}); download it again.") from error
        if rows.ndim != 2 or len(rows) < len(self.names) or rows.dtype.kind not in "fiu":
            raise DataError(f"{file} holds {rows.dtype} {rows.shape}, not the labels of {len(self.names)} images.")
        if rows.shape[1] == 0:
            return None
        one_hot = bool(((rows == 0) | (rows == 1)).all() and (rows.sum(1) == 1).all())
        labels = rows.argmax(1) if one_hot else rows.astype(np.float32)
        return LabelList(dict(zip(self.names, labels[: len(self.names)].tolist(), strict=True)))

    def fingerprint(self) -> str:
        return file_digest([self._file])


def _records(path: Path) -> Iterator[tuple[int, int]]:
    """The offset and length of each record. Raises DataError if the file breaks off."""
    size = path.stat().st_size
    with path.open("rb") as file:
        position = 0
        while position < size:
            file.seek(position)
            start = file.read(_LENGTH_BYTES)
            length = struct.unpack("<Q", start)[0] if len(start) == _LENGTH_BYTES else MAX_BYTES
            offset = position + _LENGTH_BYTES + _CHECKSUM_BYTES
            position = offset + length + _CHECKSUM_BYTES
            if length > MAX_BYTES or position > size:
                raise DataError(f"{path} is truncated or not a TFRecord file; download it again.")
            yield offset, length


def _features(example: memoryview) -> dict[str, memoryview]:
    """The features of a serialized `tf.train.Example` by name: its field 1, a map from names to lists of values."""
    features = {}
    for entry in _all(_first(example)):
        name, feature = _all(entry, 1)[0], _all(entry, 2)[0]
        values = next((value for _, value in _fields(feature) if not isinstance(value, int)), memoryview(b""))
        features[bytes(name).decode("utf-8", "replace")] = values
    return features


def _numbers(values: memoryview) -> tuple[int, ...]:
    """The integers of a list, which are packed into one field or have one each."""
    numbers: list[int] = []
    for _, value in _fields(values):
        if isinstance(value, int):
            numbers.append(value)
            continue
        position = 0
        while position < len(value):
            number, position = _varint(value, position)
            numbers.append(number)
    return tuple(numbers)


def _first(message: memoryview) -> memoryview:
    return _all(message)[0]


def _all(message: memoryview, number: int = 1) -> list[memoryview]:
    """The values of a field that are bytes."""
    return [value for found, value in _fields(message) if found == number and not isinstance(value, int)]


def _fields(message: memoryview) -> Iterator[tuple[int, memoryview | int]]:
    """The number and value of each field of a serialized protocol buffer."""
    position = 0
    while position < len(message):
        key, position = _varint(message, position)
        kind = key & 7
        if kind == 0:
            value, position = _varint(message, position)
            yield key >> 3, value
            continue
        if kind == 2:
            size, position = _varint(message, position)
        elif kind in (1, 5):
            size = 8 if kind == 1 else 4
        else:
            raise ValueError("it is no protocol buffer")
        if position + size > len(message):
            raise ValueError("it breaks off")
        yield key >> 3, message[position : position + size]
        position += size


def _varint(message: memoryview, position: int) -> tuple[int, int]:
    """A number of seven bits in each byte, least first, and the position after it."""
    number = shift = 0
    while True:
        byte = message[position]
        position += 1
        number |= (byte & 127) << shift
        if byte < 128:
            return number, position
        shift += 7
        if shift > 63:
            raise ValueError("a number is too long")
