"""The time of training steps, measured on this machine before a run."""

from __future__ import annotations

import time
from dataclasses import replace

import torch

from stylegan.training.config import TrainConfig
from stylegan.training.growing import stage_configs
from stylegan.training.phases import MicroBatch, train_step
from stylegan.training.replicas import micro_batch_size
from stylegan.training.state import TrainingState, create_state

ROUNDS = 3  # of `seconds_per_kimg`; the fastest counts, so that other programs hardly matter


def seconds_per_kimg(config: TrainConfig, device: torch.device) -> float:
    """Measure the time for a thousand images at full resolution, with the regularizers that act every few steps.

    It takes the time of five micro-batches and the memory of the run, and seeds torch's global generator.
    """
    trial = list(stage_configs(config).values())[-1].model_copy(update={"compile": False})
    images = micro_batch_size(trial, 1)
    state, batch = create_state(trial, device), random_batch(trial, images, device)
    seconds(state, trial, batch, step=1)  # the first is slower
    plain = min(seconds(state, trial, batch, step=1) for _ in range(ROUNDS))
    full = seconds(state, trial, batch, step=0)
    share = 1 / trial.r1_interval
    return 1000 / images * (plain + max(full - plain, 0.0) * share)


def random_batch(config: TrainConfig, images: int, device: torch.device) -> MicroBatch:
    """Return a micro-batch of random images without labels, at the resolution of the run."""
    side, channels = config.generator["img_resolution"], config.generator["img_channels"]
    img = torch.randn(images, channels, side, side, device=device).clamp(-1, 1)
    labels = torch.zeros(images, config.generator["c_dim"], device=device)
    return MicroBatch(img.contiguous(memory_format=torch.channels_last), labels, labels)


def seconds(state: TrainingState, config: TrainConfig, batch: MicroBatch, *, step: int) -> float:
    """Time one training step, which changes `state`. At step 0 every regularizer is due, at step 1 none."""
    start = time.perf_counter()
    train_step(replace(state, step=step), config, [batch])
    state.pl_mean.item()  # waits for the device
    return time.perf_counter() - start
