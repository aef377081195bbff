"""A run: a folder and the training in it."""

from __future__ import annotations

from pathlib import Path

from stylegan.runs.folder import make_run_folder
from stylegan.training.config import TrainConfig


def new_run_folder(parent: Path | str, config: TrainConfig, name: str) -> Path:
    """Make the folder of a run with this configuration, see `make_run_folder`."""
    return make_run_folder(parent, config.info, name, config.to_json())
