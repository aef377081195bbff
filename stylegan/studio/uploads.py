"""Uploaded files on their way through the readers of the library."""

from __future__ import annotations

import re
import secrets
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from stylegan.errors import ConfigError, DataError, MissingExtra, OutOfMemoryError, StyleGANError

NAME = "the uploaded file"
MAX_NAME = 80  # characters of a file's name


@contextmanager
def named_as_upload(path: Path) -> Iterator[None]:
    """Let errors of the block name the upload instead of the place where it is kept.

    Raises: ConfigError for a file that does not fit, DataError for any other fault of the file.
    """
    try:
        yield
    except (MissingExtra, OutOfMemoryError):
        raise
    except ConfigError as error:
        raise ConfigError(str(error).replace(str(path), NAME)) from error
    except StyleGANError as error:
        raise DataError(str(error).replace(str(path), NAME)) from error


@contextmanager
def spooled(content: bytes, folder: Path) -> Iterator[Path]:
    """Write an upload to a file for the block; errors name it as `named_as_upload` does."""
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / secrets.token_hex(8)
    path.write_bytes(content)
    try:
        with named_as_upload(path):
            yield path
    finally:
        path.unlink(missing_ok=True)


def safe_name(name: str, otherwise: str) -> str:
    """Return a name of a file without a folder, of letters, digits, points, dashes and underscores."""
    file = Path(re.split(r"[/\\]", name)[-1])
    stem, suffix = (re.sub(r"[^A-Za-z0-9._-]+", "-", part) for part in (file.stem, file.suffix))
    return (stem.strip(".-")[:MAX_NAME] or otherwise) + suffix[:20]
