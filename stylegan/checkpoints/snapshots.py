"""Find the snapshots of a run that can be read; damaged ones are skipped with a warning."""

from __future__ import annotations

import warnings
from pathlib import Path

from stylegan.errors import CheckpointError
from stylegan.files import checksums

# The files of a snapshot beyond a checkpoint for drawing. The first marks it, so it is removed last.
TRAINING_FILES = ("training.json", "training.safetensors", "generator.safetensors", "discriminator.safetensors")


def snapshots(run: Path) -> list[Path]:
    """Return the folders of a run's snapshots, damaged or not, the one with the most kimg first."""
    return sorted((p for p in run.glob("snapshots/*") if p.name.isdecimal()), key=lambda p: int(p.name), reverse=True)


def newest_snapshot(run: Path, *, to_resume: bool = False) -> Path | None:
    """Return the undamaged snapshot of a run with the most kimg; None for a run without snapshots.

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
    return None if (folder / "config.json").is_file() else "config.json is missing"


def keeps_training(folder: Path) -> bool:
    """Return whether an undamaged snapshot can be resumed."""
    try:
        return TRAINING_FILES[0] in checksums.read_checksums(folder)
    except (OSError, ValueError):
        return False
