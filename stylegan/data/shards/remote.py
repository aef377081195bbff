"""Read whole files from a path or a URL, with retries and a time limit."""

from __future__ import annotations

import hashlib
import time
from collections.abc import Callable
from pathlib import Path

from stylegan.data.background import in_background
from stylegan.errors import DataError, MissingExtra

_TRIES = 4
_FIRST_PAUSE_S = 1.0  # doubled after every try
_TRY_S = 300.0  # a gigabyte at 3 MB/s


def is_url(path: str | Path) -> bool:
    """Return whether fsspec must read it: s3://bucket/faces, https://host/faces, ..."""
    return "://" in str(path)


def read_bytes(location: str, sha256: str | None = None) -> bytes:
    """Read a whole file from a path or through fsspec, with four tries of five minutes each.

    Raises: DataError if it is missing, cannot be read or differs from `sha256`; MissingExtra.
    """
    for attempt in range(_TRIES):
        if attempt:
            time.sleep(_FIRST_PAUSE_S * 2 ** (attempt - 1))
        try:
            content = _within(_TRY_S, _read_through_fsspec if is_url(location) else _read_path, location)
        except (FileNotFoundError, NotADirectoryError):
            raise DataError(f"there is nothing at {location}; check the path or URL of the shards.") from None
        except MissingExtra:
            raise
        except Exception as error:  # each file system has its own
            problem = f"cannot be read ({str(error) or type(error).__name__})"
            continue
        if sha256 is None or hashlib.sha256(content).hexdigest() == sha256:
            return content
        problem = "is damaged: its SHA-256 is not that of the index"
    raise DataError(
        f"{location} {problem}, tried {_TRIES} times; fix the file or the connection, then `resume` the run."
    )


def _within(seconds: float, read: Callable[[str], bytes], location: str) -> bytes:
    """Return what `read` returns. Raises TimeoutError: not every file system has a time limit of its own."""
    return in_background(lambda: read(location), "read").result(seconds)


def _read_path(path: str) -> bytes:
    return Path(path).read_bytes()


def _read_through_fsspec(url: str) -> bytes:
    try:
        import fsspec  # type: ignore[import-untyped]

        with fsspec.open(url, "rb") as file:
            return file.read()
    except (ImportError, ValueError) as error:  # fsspec has no reader for it, or that lacks a package
        raise MissingExtra(
            f"{url} cannot be read ({error}). HTTP needs: pip install 'stylegan[data]'; others their own package, "
            "such as s3fs or gcsfs."
        ) from error
