"""Training steps to measure: a configuration without data, and images of noise."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import torch

from stylegan.training.config import Images, TrainConfig, from_preset
from stylegan.training.phases import MicroBatch, train_step
from stylegan.training.state import TrainingState

STEPS = 16  # R1 every 16 steps, path lengths every 4


def configuration(cfg: str, resolution: int, changes: dict[str, Any] | None = None) -> TrainConfig:
    """A preset for color images without labels, with changes by dotted name."""
    return from_preset(cfg, Images("", resolution), changes)


def random_batch(config: TrainConfig, device: torch.device | str = "cpu") -> MicroBatch:
    """As many images as are computed at once."""
    n, side = config.micro_batch, config.generator["img_resolution"]
    img = torch.randn(n, 3, side, side, device=device).clamp(-1, 1).contiguous(memory_format=torch.channels_last)
    labels = torch.zeros(n, 0, device=device)
    return MicroBatch(img, labels, labels)


def steps(state: TrainingState, config: TrainConfig) -> Callable[[], None]:
    """A function that takes `STEPS` training steps, with gradient accumulation as the configuration has it."""
    batches = [random_batch(config, state.device)] * (config.batch // config.micro_batch)

    def call() -> None:
        for _ in range(STEPS):
            train_step(state, config, batches)

    return call
