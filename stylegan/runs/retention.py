"""Which snapshots keep what: the newest can be resumed, the older ones still draw."""

from __future__ import annotations

import warnings
from pathlib import Path
from typing import Literal

from stylegan.checkpoints.snapshots import TRAINING_FILES, damage, snapshots
from stylegan.files.atomic import write_text
from stylegan.files.checksums import CHECKSUMS, read_checksums, to_json


def drop_training_state(
    run: Path, newest: Path, keep: int | Literal["all"], milestone_kimg: float | None = None
) -> None:
    """Of all but the `keep` newest snapshots up to `newest`, which is whole, leave what is needed to draw.

    The first one from each multiple of `milestone_kimg` on keeps everything.

    Those with more kimg than `newest` are of a time that a damaged snapshot put the run back from, so they count for
    nothing. Warns if the disk refuses.
    """
    if keep == "all":
        return
    written = [folder for folder in snapshots(run) if int(folder.name) <= int(newest.name)]
    before = [*(int(folder.name) for folder in written[1:]), 0]
    for folder, kimg in list(zip(written, before, strict=False))[keep:]:
        if milestone_kimg and int(folder.name) // milestone_kimg > kimg // milestone_kimg:
            continue
        try:
            # A damaged one is left for somebody to look at; listed anew, it would pass for whole.
            if (folder / TRAINING_FILES[0]).exists() and damage(folder) is None:
                _reduce(folder)
        except OSError as error:
            message = f"snapshot {folder} keeps its state of training: {error.strerror or error}"
            warnings.warn(f"{message}; remove what you do not need.", RuntimeWarning, stacklevel=2)


def _reduce(folder: Path) -> None:
    """First out of the list, then from the disk, so that the snapshot is whole at every moment."""
    listed = {name: file for name, file in read_checksums(folder).items() if name not in TRAINING_FILES}
    write_text(folder / CHECKSUMS, to_json(listed))
    for name in reversed(TRAINING_FILES):
        (folder / name).unlink(missing_ok=True)
