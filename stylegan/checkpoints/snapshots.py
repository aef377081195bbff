"""The snapshots of a run, found by reading them: a damaged one is skipped, and says so."""

from __future__ import annotations

import warnings
from pathlib import Path

from stylegan.errors import CheckpointError
from stylegan.files import checksums

# What a snapshot has beyond a checkpoint to draw with. The first marks it, so it is the last to go.
TRAINING_FILES = ("training.json", "training.safetensors", "generator.safetensors", "discriminator.safetensors")


def snapshots(run: Path) -> list[Path]:
    """The folders of a run's snapshots, the one with the most kimg first, whole or not."""
    return sorted((p for p in run.glob("snapshots/*") if p.name.isdecimal()), key=lambda p: int(p.name), reverse=True)


def newest_snapshot(run: Path, *, to_resume: bool = False) -> Path | None:
    """The whole snapshot of a run with the most kimg, None for a run without any.

    Warns once of every newer one that is damaged.

    Args:
        to_resume: consider only those that keep the state of training.
    Raises: CheckpointError if there are snapshots, but none is of use.
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
    """Why a snapshot is not as it was written, None if it is. A checkpoint that is no snapshot is not judged."""
    if (folder / checksums.CHECKSUMS).exists() or (folder / TRAINING_FILES[0]).exists():
        return checksums.mismatch(folder)
    return None if (folder / "config.json").is_file() else "config.json is missing"


def keeps_training(folder: Path) -> bool:
    """Whether a snapshot that is whole can be resumed."""
    try:
        return TRAINING_FILES[0] in checksums.read_checksums(folder)
    except (OSError, ValueError):
        return False
