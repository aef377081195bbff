"""The snapshots of a run: their names, and the newest that can be read; damaged ones are skipped with a warning.

A snapshot is named by the thousands of real images that D has been shown, `000200`. A second one within the same
thousand has a longer name, `000200.064`, so that the order of the names is the order of the snapshots.
"""

from __future__ import annotations

import json
import re
import warnings
from pathlib import Path

from stylegan.checkpoints.layout import CONFIG, FEATURES, TRAINING_FILES
from stylegan.errors import CheckpointError
from stylegan.files import checksums


def snapshot_name(nimg: int, *, exact: bool = False) -> str:
    """Name the snapshot after `nimg` images: "000200", or "000200.064" where that must be `exact`."""
    kimg, rest = divmod(nimg, 1000)
    return f"{kimg:06d}.{rest:03d}" if exact else f"{kimg:06d}"


def is_snapshot_name(name: str) -> bool:
    """Return whether `snapshot_name` makes such names."""
    return re.fullmatch(r"[0-9]+(\.[0-9]{3})?", name) is not None


def kimg_of(snapshot: Path) -> float:
    """Thousands of images as the name says them, which orders snapshots: 200.0 for "000200"."""
    return float(snapshot.name)


def nimg_of(snapshot: Path) -> int | None:
    """Read from its config.json how many real images D had been shown by then; None if that file cannot be read.

    A network that was copied into a run may not say; its name is taken instead.
    """
    try:
        nimg = json.loads((snapshot / CONFIG).read_text(encoding="utf-8")).get("nimg")
    except (OSError, ValueError, AttributeError, RecursionError):
        return None
    return nimg if type(nimg) is int else round(1000 * kimg_of(snapshot))


def discriminator_features(snapshot: Path) -> str | None:
    """Read from its config.json the feature network through which D sees images; None without one, or if unknown."""
    try:
        features = json.loads((snapshot / CONFIG).read_text(encoding="utf-8")).get(FEATURES)
    except (OSError, ValueError, AttributeError, RecursionError):
        return None
    return features if isinstance(features, str) else None


def snapshots(run: Path) -> list[Path]:
    """Return the folders of a run's snapshots, damaged or not, the newest first."""
    return sorted((p for p in run.glob("snapshots/*") if is_snapshot_name(p.name)), key=kimg_of, reverse=True)


def newest_snapshot(run: Path, *, to_resume: bool = False) -> Path | None:
    """Return the newest undamaged snapshot of a run; None for a run without snapshots.

    Warns once about every newer one that is damaged.

    Args:
        to_resume: consider only those that keep the state of training.
    Raises: CheckpointError if there are snapshots, but none can be used.
    """
    useless: dict[str, str] = {}
    for folder in snapshots(run):
        reason = damage(folder)
        if reason is None and (not to_resume or keeps_training(folder)):
            for name, wrong in useless.items():
                message = f"snapshot {folder.parent / name} is skipped: {wrong}; going back to {folder.name}."
                warnings.warn(message, RuntimeWarning, stacklevel=2)
            return folder
        useless[folder.name] = reason or "keeps only the network to draw with"
    if useless:
        reasons = ", ".join(f"{name} ({reason})" for name, reason in useless.items())
        purpose = "resumed" if to_resume else "read"
        raise CheckpointError(
            f"no snapshot in {run / 'snapshots'} can be {purpose}: {reasons}; "
            "bring one back from a copy, or start a new run."
        )
    return None


def damage(folder: Path) -> str | None:
    """Return how a snapshot differs from what was written; None if it does not. Plain checkpoints are not verified."""
    if (folder / checksums.CHECKSUMS).exists() or (folder / TRAINING_FILES[0]).exists():
        return checksums.mismatch(folder)
    return None if (folder / CONFIG).is_file() else f"{CONFIG} is missing"


def keeps_training(folder: Path) -> bool:
    """Return whether an undamaged snapshot can be resumed."""
    try:
        return TRAINING_FILES[0] in checksums.read_checksums(folder)
    except (OSError, ValueError):
        return False
