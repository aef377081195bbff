"""Training steps for benchmarks: a configuration without data, and random images."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import torch

from stylegan.training.assemble import Images, from_preset
from stylegan.training.config import TrainConfig
from stylegan.training.phases import MicroBatch, train_step
from stylegan.training.presets import SIZES
from stylegan.training.state import TrainingState

STEPS = 16  # one cycle: R1 every 16 steps, path length regularization every 4


def configuration(cfg: str, resolution: int, changes: dict[str, Any] | None = None) -> TrainConfig:
    """Return a preset for color images without labels, with changes by dotted name."""
    return from_preset(cfg, Images("", resolution), changes)


def in_full(size: str) -> dict[str, Any]:
    """Return the changes that give StyleGAN2 in a size for a CPU the width, the batch and all losses of the paper.

    Its preset is narrower and leaves most of them out.
    """
    channels = SIZES[size].channels.arguments()
    widths = {f"{network}.{name}": n for network in ("generator", "discriminator") for name, n in channels.items()}
    losses = {"one_stage": False, "pl_weight": 2.0}
    return {**widths, **losses, "batch": SIZES[size].batch}


def random_batch(config: TrainConfig, device: torch.device | str = "cpu") -> MicroBatch:
    """Return one micro-batch of random images."""
    n, side = config.micro_batch, config.generator["img_resolution"]
    img = torch.randn(n, 3, side, side, device=device).clamp(-1, 1).contiguous(memory_format=torch.channels_last)
    labels = torch.zeros(n, 0, device=device)
    return MicroBatch(img, labels, labels)


def steps(state: TrainingState, config: TrainConfig) -> Callable[[], None]:
    """Return a function that takes `STEPS` training steps, with the gradient accumulation of the configuration."""
    batches = [random_batch(config, state.device)] * (config.batch // config.micro_batch)

    def call() -> None:
        for _ in range(STEPS):
            train_step(state, config, batches)

    return call
