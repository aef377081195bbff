"""The choice of compiled or uncompiled training steps, by timing both at the start of a run."""

from __future__ import annotations

from dataclasses import replace
from typing import NamedTuple

import torch

from stylegan.machine.devices import resolve_device
from stylegan.machine.precision import require_precision
from stylegan.machine.processes import World
from stylegan.training.config import TrainConfig
from stylegan.training.growing import stage_configs
from stylegan.training.replicas import micro_batch_size
from stylegan.training.state import create_state
from stylegan.training.timing import random_batch, seconds

ROUNDS = 5  # of a measurement; the fastest counts, so that other programs hardly matter
WORTHWHILE = 0.98  # of the time without compiling: less gain is noise, and every start of a run compiles for a minute


class Choice(NamedTuple):
    """The form of the steps of a run, and the measurement that decided it."""

    compile: bool
    reason: str  # a sentence for the log of the run


def faster_form(config: TrainConfig, world: World) -> Choice:
    """Choose compiled steps if they take less time than uncompiled ones on the device of this process.

    Compiling is not counted. Seeds torch's global generator. Raises: ConfigError if the device lacks the precision.
    """
    device = world.device_for(resolve_device(config.device))
    require_precision(config.precision, device)
    compiled, uncompiled = step_seconds(config, device, micro_batch_size(config, world.size))
    chosen = compiled < WORTHWHILE * uncompiled
    times = f"a step takes {1000 * compiled:.0f} ms compiled, {1000 * uncompiled:.0f} ms uncompiled"
    return Choice(chosen, f"`compile` is {'on' if chosen else 'off'}: {times}.")


def step_seconds(config: TrainConfig, device: torch.device, micro_batch: int) -> tuple[float, float]:
    """Time training steps of networks like those of the run, which are then discarded, on random images.

    Returns: seconds of a step compiled and uncompiled, measured in turn: one micro-batch at full resolution, without
        the regularizers that act every few steps only.
    """
    trial = list(stage_configs(config).values())[-1].model_copy(update={"compile": True})
    compiled = create_state(trial, device)
    uncompiled = replace(compiled, first_order_synthesis=compiled.G.synthesis, first_order_D=compiled.D)
    batch = random_batch(config, micro_batch, device)
    rounds = [[seconds(state, trial, batch, step=1) for state in (compiled, uncompiled)] for _ in range(ROUNDS + 1)]
    first, second = (min(times) for times in zip(*rounds[1:], strict=True))  # the first round compiles
    return first, second
