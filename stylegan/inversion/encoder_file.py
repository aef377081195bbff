"""The files of an encoder: config.json with its settings, and encoder.safetensors beside it."""

from __future__ import annotations

import json
from dataclasses import asdict
from pathlib import Path
from typing import Any

from safetensors import SafetensorError
from safetensors.torch import load_file

from stylegan.checkpoints.layout import CONFIG
from stylegan.checkpoints.native import Contents, write
from stylegan.checkpoints.snapshots import damage, newest_snapshot
from stylegan.errors import CheckpointError, ConfigError, OutputError
from stylegan.files.atomic import atomic_folder
from stylegan.files.paths import local_path
from stylegan.inversion.encoder import Encoder, EncoderSettings
from stylegan.inversion.tasks import Task

FORMAT = "encoder 1"
WEIGHTS = "encoder.safetensors"


def contents(encoder: Encoder, **facts: Any) -> Contents:
    """Return the files of an encoder; `facts` are further entries of its config.json."""
    config = {"format": FORMAT, **asdict(encoder.settings), **facts}
    return Contents({CONFIG: json.dumps(config, indent=2) + "\n"}, {WEIGHTS: encoder.state_dict()})


def save_encoder(encoder: Encoder, folder: Path | str) -> None:
    """Write an encoder into a folder, whole or not at all; an older encoder of that name is replaced.

    Raises: OutputError if `folder` holds something else, or cannot be written.
    """
    folder = local_path(folder)
    if folder.exists() and any(folder.iterdir()) and not (folder / WEIGHTS).is_file():
        raise OutputError(f"{folder} already exists and is not an encoder; remove it or choose another name.")
    with atomic_folder(folder) as temporary:
        write(contents(encoder), temporary)


def load_encoder(source: Path | str) -> Encoder:
    """Read an encoder from its folder, from one of its files, or from the newest snapshot of the run that trained it.

    Raises: CheckpointError if it is missing, damaged, or something else.
    """
    folder = _folder(local_path(source))
    config = _config(folder)
    try:
        task = config["task"]
        colors = tuple((int(r), int(g), int(b)) for r, g, b in task["colors"])
        known = {name: config[name] for name in EncoderSettings.__dataclass_fields__}
        encoder = Encoder(EncoderSettings(**{**known, "task": Task(**{**task, "colors": colors})}))
        encoder.load_state_dict(load_file(folder / WEIGHTS))
    except (OSError, SafetensorError, ConfigError, ValueError, KeyError, TypeError, RuntimeError) as error:
        reason = str(error).splitlines()[0] if str(error) else type(error).__name__
        raise CheckpointError(f"the encoder in {folder} is damaged: {reason}; choose another.") from error
    return encoder.eval().requires_grad_(False)


def _folder(source: Path) -> Path:
    """Return the folder with the files of an encoder. Raises: CheckpointError if there is none."""
    if (source / "snapshots").is_dir():
        newest = newest_snapshot(source)
        if newest is None:
            raise CheckpointError(f"run {source} has no snapshot yet; let it train until the first one.")
        return newest
    folder = source.parent if source.is_file() else source
    if not (folder / WEIGHTS).is_file():
        raise CheckpointError(f"{source} is not an encoder; expected a folder with {WEIGHTS}, or the run that made it.")
    if (folder / "checksums.json").exists() and (wrong := damage(folder)) is not None:
        raise CheckpointError(f"the encoder in {folder} is damaged: {wrong}; choose another.")
    return folder


def _config(folder: Path) -> dict[str, Any]:
    try:
        config = json.loads((folder / CONFIG).read_text(encoding="utf-8"))
    except (OSError, ValueError, RecursionError) as error:
        raise CheckpointError(f"{folder / CONFIG} cannot be read: {error}; the encoder is damaged.") from error
    if not isinstance(config, dict) or config.get("format") != FORMAT:
        found = config.get("format") if isinstance(config, dict) else None
        raise CheckpointError(
            f"{folder} is not an encoder of the format {FORMAT!r}, got {found!r}; choose the run of an encoder, or "
            "update stylegan."
        )
    return config
