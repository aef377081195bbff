"""Writing that leaves the older file or folder whole when it is interrupted."""

from __future__ import annotations

import os
import shutil
import sys
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from stylegan.errors import OutputError


@contextmanager
def atomic_file(path: Path | str) -> Iterator[Path]:
    """Yields a temporary name beside `path`, which becomes `path` when the block ends well and is removed otherwise.

    Raises: OutputError if the folder cannot be written.
    """
    path = Path(path)
    # The suffix stays last: image writers choose the format by it.
    temporary = path.with_name(f".{path.stem}.{os.getpid()}.tmp{path.suffix}")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        yield temporary
        _sync(temporary)
        os.replace(temporary, path)
        _sync(path.parent)
    except OSError as error:
        raise OutputError(f"cannot write {path}: {error.strerror or error}; choose another place.") from error
    finally:
        with suppress(OSError):
            temporary.unlink(missing_ok=True)


@contextmanager
def atomic_folder(path: Path | str) -> Iterator[Path]:
    """The same for a folder and the files in it; a folder that exists is replaced.

    Raises: OutputError if the parent cannot be written.
    """
    path = Path(path)
    temporary = path.with_name(f".{path.name}.{os.getpid()}.tmp")
    older = path.with_name(f".{path.name}.{os.getpid()}.old")
    try:
        shutil.rmtree(temporary, ignore_errors=True)
        temporary.mkdir(parents=True)
        yield temporary
        for file in temporary.iterdir():
            _sync(file)
        _sync(temporary)
        if path.exists():
            os.replace(path, older)
        os.replace(temporary, path)
        _sync(path.parent)
    except OSError as error:
        raise OutputError(f"cannot write {path}: {error.strerror or error}; choose another place.") from error
    finally:
        shutil.rmtree(temporary, ignore_errors=True)
        if path.exists():
            shutil.rmtree(older, ignore_errors=True)
        elif older.exists():
            with suppress(OSError):  # then `mend_interrupted_writes` brings it back
                os.replace(older, path)


def write_text(path: Path | str, text: str) -> None:
    """Write a text file whole or not at all."""
    with atomic_file(path) as temporary:
        temporary.write_text(text, encoding="utf-8")


def _sync(path: Path) -> None:
    """Bring a file, or a folder's list of names, to the disk. Windows keeps the names of folders by itself."""
    if sys.platform == "win32" and path.is_dir():
        return
    descriptor = os.open(path, os.O_RDWR if sys.platform == "win32" else os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
