"""Write files and folders so that an interruption leaves the older one unharmed."""

from __future__ import annotations

import errno
import os
import shutil
import sys
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from stylegan.errors import OutputError
from stylegan.files.paths import local_path
from stylegan.files.warn_once import warn_once


@contextmanager
def atomic_file(path: Path | str) -> Iterator[Path]:
    """Yield a temporary name beside `path`, which becomes `path` when the block ends without an error, else is removed.

    Raises: OutputError if the folder cannot be written.
    """
    path = local_path(path)
    # The suffix stays last: image writers choose the format by it.
    temporary = path.with_name(f".{path.stem}.{os.getpid()}.tmp{path.suffix}")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        yield temporary
        _sync(temporary)
        os.replace(temporary, path)
        _sync(path.parent)
    except OSError as error:
        raise cannot_write(path, error) from error
    finally:
        with suppress(OSError):
            temporary.unlink(missing_ok=True)


@contextmanager
def atomic_folder(path: Path | str) -> Iterator[Path]:
    """Yield a temporary folder, which becomes `path`, or replaces it, when the block ends without an error.

    Raises: OutputError if the parent cannot be written.
    """
    path = local_path(path)
    temporary = path.with_name(f".{path.name}.{os.getpid()}.tmp")
    older = path.with_name(f".{path.name}.{os.getpid()}.old")
    try:
        shutil.rmtree(temporary, ignore_errors=True)
        temporary.mkdir(parents=True)
        yield temporary
        _sync_tree(temporary)
        if path.exists():
            os.replace(path, older)
        os.replace(temporary, path)
        _sync(path.parent)
    except OSError as error:
        raise cannot_write(path, error) from error
    finally:
        shutil.rmtree(temporary, ignore_errors=True)
        if os.path.exists(path):  # unlike Path.exists, it raises nothing
            shutil.rmtree(older, ignore_errors=True)
        elif os.path.exists(older):
            with suppress(OSError):  # then `repair_interrupted_writes` brings it back
                os.replace(older, path)


def cannot_write(path: Path, error: OSError) -> OutputError:
    """Return the error of a file or folder that cannot be written; for a name that is too long, it names the length."""
    if error.errno == errno.ENAMETOOLONG:
        longest = max((*path.parts[:-1], path.name), key=len)
        return OutputError(
            f"cannot write {path}: the name {longest[:40]}... has {len(longest)} characters, too many for this disk; "
            "choose a shorter one."
        )
    return OutputError(f"cannot write {path}: {error.strerror or error}; choose another place.")


def write_text(path: Path | str, text: str) -> None:
    """Write a text file completely or not at all."""
    with atomic_file(path) as temporary:
        temporary.write_text(text, encoding="utf-8", newline="\n")


def _sync_tree(folder: Path) -> None:
    """Flush every file and folder below a folder, and the folder itself, to the disk."""
    for inside, _, files in os.walk(folder, topdown=False):
        for name in files:
            if not os.path.islink(file := os.path.join(inside, name)):  # its target is not ours
                _sync(file)
        _sync(inside)


# The disk failed, or has no room for what was written; any other error says that it cannot flush.
_LOST = {getattr(errno, name, None) for name in ("EIO", "ENOSPC", "EDQUOT", "EFBIG", "ENXIO", "ENODEV", "ESTALE")}


def _sync(path: str | Path) -> None:
    """Flush a file, or the list of names of a folder, to the disk. Warns once where the system cannot do that.

    Windows keeps the names of folders by itself. Raises: OSError if what was written is lost.
    """
    if sys.platform == "win32" and os.path.isdir(path):
        return
    try:
        descriptor = os.open(path, os.O_RDWR if sys.platform == "win32" else os.O_RDONLY)
        try:
            os.fsync(descriptor)
        finally:
            os.close(descriptor)
    except OSError as error:
        if error.errno in _LOST or not os.path.exists(path):
            raise
        reason = error.strerror or error
        warn_once(f"files are written but not flushed ({reason}), so a power cut may take the newest ones away.")
