"""Decoded images in files of a folder of bounded size, which several processes and data sets share."""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

import numpy as np

from stylegan.errors import OutputError
from stylegan.files.atomic import atomic_file
from stylegan.files.cache import existing_folder, free_bytes
from stylegan.files.lock import lock


class PixelCache:
    """Arrays uint8 [n, C, H, W] by name, each in a `.npy` file that is mapped into memory.

    A new array takes the place of those that were unused for the longest time once the files would need more than
    `max_bytes`. A file that a process has mapped keeps its room on the disk until that process lets go of it.
    """

    def __init__(self, folder: Path, max_bytes: int):
        self.folder, self.max_bytes = folder, max_bytes

    def get(self, name: str, shape: tuple[int, ...]) -> np.ndarray | None:
        """The mapped array; None if it is missing, damaged or of another shape."""
        file = self._file(name)
        try:
            pixels = np.load(file, mmap_mode="r")
        except (OSError, ValueError, EOFError):  # missing, cut short or not a .npy file
            return None
        if pixels.dtype != np.uint8 or pixels.shape != shape:
            return None
        with suppress(OSError):  # another user's cache may be read-only
            os.utime(file)  # the time of last use, which `_make_room` sorts by
        return pixels

    def put(self, name: str, shape: tuple[int, ...], images: Iterable[np.ndarray]) -> np.ndarray:
        """Write the images [C, H, W] of an array, unless another process has done so meanwhile, and map it.

        Processes and threads that write take turns.

        Raises: OutputError if the folder cannot be written, and what iterating over the images raises.
        """
        try:
            with self._in_turn():  # others take neither this room, nor away this file before it is mapped
                pixels = self.get(name, shape)
                if pixels is None:
                    self._make_room(int(np.prod(shape)))
                    write_npy(self._file(name), shape, images)
                    pixels = np.load(self._file(name), mmap_mode="r")
                return pixels
        except OutputError:
            raise
        except OSError as error:
            raise OutputError(
                f"cannot write {self.folder}: {error.strerror or error}; choose another place."
            ) from error

    def growth(self, size: int) -> int:
        """Bytes by which the folder grows when `size` bytes are added, after what must leave has left."""
        used = sum(bytes_ for _, bytes_, _ in self._files())
        return max(min(used + size, self.max_bytes) - used, 0)

    def refusal(self, size: int) -> str | None:
        """Return a clause that says why an array of this many bytes cannot be kept; None if it can."""
        if size > self.max_bytes:
            return f"cache_gb allows {self.max_bytes / 1e9:.3g} GB"
        free = free_bytes(existing_folder(self.folder))
        if self.growth(size) > free:
            return f"{self.folder} has {free / 1e9:.3g} GB free; set STYLEGAN_CACHE to a folder with more"
        return None

    def _file(self, name: str) -> Path:
        return self.folder / f"{name}.npy"

    def _files(self) -> list[tuple[int, int, Path]]:
        """Time of last use, bytes and path of each file, the longest unused first."""
        found = []
        for file in self.folder.rglob("*.npy"):
            with suppress(OSError):  # another process may have removed it
                info = file.stat()
                found.append((info.st_mtime_ns, info.st_size, file))
        return sorted(found)

    def _make_room(self, size: int) -> None:
        files = self._files()
        used = sum(bytes_ for _, bytes_, _ in files)
        for _, bytes_, file in files:
            if used + size <= self.max_bytes:
                return
            with suppress(OSError):  # Windows keeps a file that a process has mapped
                file.unlink(missing_ok=True)
                used -= bytes_

    @contextmanager
    def _in_turn(self) -> Iterator[None]:
        """Wait until no other process or thread is in such a block. Warns once where the system has no locks."""
        self.folder.mkdir(parents=True, exist_ok=True)
        with self.folder.with_suffix(".lock").open("ab") as file:
            lock(file)
            yield


def write_npy(file: Path, shape: tuple[int, ...], images: Iterable[np.ndarray]) -> None:
    """Write uint8 [n, C, H, W], given image by image, whole or not at all. Raises: OutputError."""
    # Plain writes and no memory map: on a full disk a write raises, while a map would kill the process.
    with atomic_file(file) as temporary, temporary.open("wb") as out:
        np.lib.format.write_array_header_1_0(out, {"descr": "|u1", "fortran_order": False, "shape": shape})
        for pixels in images:
            out.write(pixels.tobytes())
