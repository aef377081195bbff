"""Snapshots written in the background: the step copies the state, a thread writes it to the disk."""

from __future__ import annotations

import threading
import warnings
from pathlib import Path
from typing import Literal

from stylegan.checkpoints.native import Contents
from stylegan.errors import OutputError
from stylegan.runs.retention import drop_training_state
from stylegan.training.snapshot import write_snapshot


class SnapshotWriter:
    """Writes one snapshot at a time; leaving the context waits for it.

    A disk that is full or fails costs that snapshot and causes a warning. The older ones stay whole, and the next
    one is written as usual.

    Args:
        run: the run folder.
        keep, milestone_kimg: which snapshots keep the state of training, see `drop_training_state`.
    """

    def __init__(self, run: Path, keep: int | Literal["all"], milestone_kimg: float | None = None):
        self.run, self.keep, self.milestone_kimg = run, keep, milestone_kimg
        self._thread: threading.Thread | None = None
        self._bug: Exception | None = None

    def __enter__(self) -> SnapshotWriter:
        return self

    def __exit__(self, *error: object) -> None:
        self.wait()

    def begin(self, files: Contents, folder: Path) -> None:
        """Write in the background, after the previous snapshot is done."""
        self.wait()
        # A daemon, so that a second Ctrl-C does not wait for a slow disk.
        self._thread = threading.Thread(target=self._try, args=(files, folder), daemon=True, name="snapshot")
        self._thread.start()

    def write_last(self, files: Contents, folder: Path) -> None:
        """Write now, and try once more if that fails. Raises: OutputError if both attempts fail."""
        self.wait()
        try:
            self._write(files, folder)
        except OutputError:
            self._write(files, folder)

    def wait(self) -> None:
        """Wait until nothing is being written."""
        if self._thread is not None:
            self._thread.join()
            self._thread = None
        if self._bug is not None:
            bug, self._bug = self._bug, None
            raise bug

    def _try(self, files: Contents, folder: Path) -> None:
        try:
            self._write(files, folder)
        except OutputError as error:
            warnings.warn(f"{error} Training continues; the older snapshots are whole.", RuntimeWarning, stacklevel=2)
        except Exception as error:
            self._bug = error

    def _write(self, files: Contents, folder: Path) -> None:
        write_snapshot(files, folder)
        drop_training_state(self.run, folder, self.keep, self.milestone_kimg)
