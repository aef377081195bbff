"""Read the IDX files of MNIST and similar sets: a magic number, the dimensions, then raw bytes."""

from __future__ import annotations

import gzip
import math
import struct
import zlib
from pathlib import Path

import numpy as np

from stylegan.errors import DataError
from stylegan.images.read import unpacks_too_far

_IMAGES = b"\x00\x00\x08\x03"  # unsigned bytes in 3 dimensions
_LABELS = b"\x00\x00\x08\x01"
_MAX_BYTES = 1 << 34  # a header that asks for more is damaged


def is_idx(path: Path) -> bool:
    """Return whether the file starts like IDX images or labels, gzipped or not."""
    try:
        with _opened(path) as file:
            return file.read(4) in (_IMAGES, _LABELS)
    except (OSError, EOFError, zlib.error):
        return False


def read_idx(path: Path) -> np.ndarray:
    """Read a whole IDX file of unsigned bytes.

    Returns: uint8 [n, H, W] for a file of images, [n] for a file of labels.
    Raises: DataError if it is truncated, damaged or not such a file.
    """
    try:
        with _opened(path) as file:
            magic = file.read(4)
            if magic not in (_IMAGES, _LABELS):
                raise DataError(f"{path} is not an IDX file of bytes in 1 or 3 dimensions.")
            rank = magic[3]
            shape = struct.unpack(f">{rank}I", file.read(4 * rank))
            size = math.prod(shape)
            packed = path.stat().st_size
            if size > _MAX_BYTES or unpacks_too_far(packed, size):
                raise DataError(f"{path} is damaged: it has {packed} bytes and declares {size}; download it again.")
            body = file.read(size + 1)  # one more makes gzip check its checksum
    except (OSError, EOFError, zlib.error, struct.error) as error:
        raise DataError(f"{path} cannot be read as an IDX file ({error}); download it again.") from error
    if len(body) != size:
        raise DataError(
            f"{path} is damaged: its header declares {size} bytes, but it has {len(body)}; download it again."
        )
    return np.frombuffer(body, np.uint8).reshape(shape)


def _opened(path: Path):
    with path.open("rb") as file:
        zipped = file.read(2) == b"\x1f\x8b"
    return gzip.open(path, "rb") if zipped else path.open("rb")
