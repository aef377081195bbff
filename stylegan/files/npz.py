"""Read the arrays of an .npz or .npy as data."""

from __future__ import annotations

import zipfile
from pathlib import Path

import numpy as np

from stylegan.errors import DataError


def read_arrays(file: Path | str, *, what: str, only: str, max_bytes: int) -> dict[str, np.ndarray]:
    """Read every array of a file without running anything that it holds.

    Args:
        what: name of such a file in errors, such as "a file of latents, an .npz with the array w".
        only: name of the array of an .npy.
        max_bytes: limit on the arrays together.
    Raises: DataError for a file that is missing, damaged, too large or anything else.
    """
    try:
        if zipfile.is_zipfile(file):
            with zipfile.ZipFile(file) as archive:
                size = sum(entry.file_size for entry in archive.infolist())
            if size > max_bytes:
                raise DataError(f"{file} unpacks to {size:,} bytes, more than the limit of {max_bytes:,}.")
        with open(file, "rb") as stream:
            loaded = np.load(stream, allow_pickle=False)
            return {only: loaded} if isinstance(loaded, np.ndarray) else {key: loaded[key] for key in loaded.files}
    except FileNotFoundError as error:
        raise DataError(f"{file} does not exist; expected {what}.") from error
    except (OSError, ValueError, EOFError, KeyError, zipfile.BadZipFile, MemoryError) as error:
        raise DataError(f"{file} is not {what}: {error}.") from error
