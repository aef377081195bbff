"""Failures of the machine during training, as errors of this library."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from stylegan.errors import OutputError, StyleGANError
from stylegan.machine.memory import memory_enough_for


@contextmanager
def in_one_sentence(folder: Path, remedy: str = "use a smaller `micro_batch` or network") -> Iterator[None]:
    """Turn what the device and the disk refuse into errors of this library; `remedy` is for too little memory."""
    try:
        with memory_enough_for("training", remedy):
            yield
    except StyleGANError:  # some are OSErrors too, and say more
        raise
    except OSError as error:
        raise OutputError(f"cannot write to {folder}: {error.strerror or error}.") from error
