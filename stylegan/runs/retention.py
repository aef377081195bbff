"""Retention of snapshots: the newest can be resumed, the older ones still draw."""

from __future__ import annotations

import warnings
from pathlib import Path
from typing import Literal

from stylegan.checkpoints.layout import TRAINING_FILES
from stylegan.checkpoints.snapshots import damage, kimg_of, snapshots
from stylegan.files.atomic import write_text
from stylegan.files.checksums import CHECKSUMS, read_checksums, to_json


def drop_training_state(
    run: Path, newest: Path, keep: int | Literal["all"], milestone_kimg: float | None = None
) -> None:
    """Reduce all but the `keep` newest snapshots up to `newest`, which is whole, to the files needed to draw.

    The first snapshot at or after each multiple of `milestone_kimg` keeps everything. Snapshots after `newest` are
    left alone and do not count: they were written before a damaged snapshot put the run back. Warns if the disk
    refuses.
    """
    if keep == "all":
        return
    written = [folder for folder in snapshots(run) if kimg_of(folder) <= kimg_of(newest)]
    before = [*(kimg_of(folder) for folder in written[1:]), 0]
    for folder, kimg in list(zip(written, before, strict=False))[keep:]:
        if milestone_kimg and kimg_of(folder) // milestone_kimg > kimg // milestone_kimg:
            continue
        try:
            # A damaged one is left as it is: with a new list of files it would pass for whole.
            if (folder / TRAINING_FILES[0]).exists() and damage(folder) is None:
                _reduce(folder)
        except OSError as error:
            message = f"snapshot {folder} keeps its state of training: {error.strerror or error}"
            warnings.warn(f"{message}; remove what you do not need.", RuntimeWarning, stacklevel=2)


def _reduce(folder: Path) -> None:
    """Remove the files from the list first, then from the disk, so that the snapshot is whole at every moment."""
    listed = {name: file for name, file in read_checksums(folder).items() if name not in TRAINING_FILES}
    write_text(folder / CHECKSUMS, to_json(listed))
    for name in reversed(TRAINING_FILES):
        (folder / name).unlink(missing_ok=True)
