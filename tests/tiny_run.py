"""Data set and configuration for a training run of one second."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from PIL import Image

from stylegan.training.assemble import Images, from_preset
from stylegan.training.config import TrainConfig


def tiny_images(folder: Path, *, count: int = 24, channels: int = 3, size: int = 16, classes: int = 0) -> Path:
    """Write random images to `folder`, in one subfolder per class if `classes` is given."""
    rng = np.random.RandomState(0)
    for i in range(count):
        path = folder / (f"class{i % classes}" if classes else "") / f"{i:03d}.png"
        path.parent.mkdir(parents=True, exist_ok=True)
        pixels = rng.randint(0, 256, [size, size, channels], dtype=np.uint8)
        Image.fromarray(pixels[..., 0] if channels == 1 else pixels).save(path)
    return folder


def tiny_config(data: Path, *, channels: int = 3, label_dim: int = 0, **changes) -> TrainConfig:
    """Return the tiny16 preset on the CPU, with 4 steps of 8 images per tick and a snapshot every tick."""
    defaults = {"device": "cpu", "kimg": 0.064, "tick_kimg": 0.032, "snap_ticks": 1}
    return from_preset("tiny16", Images(data, 16, channels, label_dim), {**defaults, **changes})
