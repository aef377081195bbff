"""What a run will need, before it starts: memory of one step, and room on the disk for all that it keeps.

One step of every phase runs on PyTorch's meta device, where tensors have sizes but no values, and the bytes that are
alive at a time are added up. So any network is measured within seconds, the largest too, without its memory.
"""

from __future__ import annotations

import math
import shutil
import weakref
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path

import torch
from torch import Tensor, nn
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_map_only

from stylegan.errors import ConfigError
from stylegan.machine.memory import available_bytes
from stylegan.training.config import DataConfig, TrainConfig, changed
from stylegan.training.phases import MicroBatch, due_phases
from stylegan.training.snapshot_grid import grid_shape
from stylegan.training.state import TrainingState, create_state

PROCESS_BYTES = 350e6  # PyTorch itself, before the first tensor; a CUDA context is about as large
WORKSPACE = 1.4  # what convolutions take beside their tensors, and gaps between tensors, as measured on a CPU


@dataclass(frozen=True, kw_only=True)
class Estimate:
    """Bytes. `memory` is about right: on a CPU 0.92 to 1.05 of the measured peak, from 16 to 256 px."""

    weights: int  # G, D and the averaged G
    moments: int  # of both optimizers
    step: int  # most that one micro-batch has alive: activations, gradients, derivatives of both
    snapshot: int  # one that can be resumed; as much memory is taken while it is written
    snapshots: int  # how many of these there will be
    drawing: int  # one that only draws, which the older ones become
    drawings: int
    grids: int  # of all image grids

    @property
    def memory(self) -> int:
        return int(PROCESS_BYTES) + self.weights + self.moments + self.snapshot + self.step

    @property
    def disk(self) -> int:
        being_thinned_out = self.snapshot - self.drawing if self.drawings else 0  # after the next is written
        return self.snapshot * self.snapshots + self.drawing * self.drawings + being_thinned_out + self.grids

    def __str__(self) -> str:
        return (
            f"About {_size(self.memory)} of memory: weights {_size(self.weights)}, optimizers {_size(self.moments)}, "
            f"one step {_size(self.step)}, writing a snapshot {_size(self.snapshot)}, the rest for PyTorch.\n"
            f"About {_size(self.disk)} on the disk: {self.snapshots} snapshots of {_size(self.snapshot)}, "
            f"{self.drawings} older ones of {_size(self.drawing)}, image grids up to {_size(self.grids)}."
        )


def estimate(config: TrainConfig, nimg: int = 0) -> Estimate:
    """What the run needs from `nimg` images on to its end."""
    state = _without_values(config)
    weights = sum(_bytes(network) for network in (state.G, state.G_ema, state.D))
    groups = state.G_opt.param_groups + state.D_opt.param_groups
    moments = 2 * sum(p.nbytes for group in groups for p in group["params"])
    same = config.model_copy(update={"data": DataConfig(path=""), "kimg": 1.0, "seed": 0})  # for this purpose
    between = config.snap_ticks * config.tick_kimg * 1000
    snapshots = math.ceil(max(config.kimg * 1000 - nimg, 0) / between)
    milestones = int(config.kimg / config.milestone_kimg) if config.milestone_kimg else 0
    kept = snapshots if config.keep_snapshots == "all" else min(snapshots, config.keep_snapshots + milestones)
    side = config.generator["img_resolution"]
    grid = math.prod(grid_shape(side)) * side**2 * config.generator["img_channels"]
    return Estimate(
        weights=weights,
        moments=moments,
        step=int(WORKSPACE * _step_bytes(same.to_json())),
        snapshot=weights + moments,
        snapshots=kept,
        drawing=_bytes(state.G_ema),
        drawings=snapshots - kept,
        grids=grid * (snapshots + 2),
    )


def require_room(needed: Estimate, device: torch.device, folder: Path, processes: int = 1) -> None:
    """Raise ConfigError, with the difference, if the device or the disk of `folder` has less room than `needed`.

    `processes` of this machine share its main memory.
    """
    free = available_bytes(device, processes)
    if free is not None and needed.memory > free:
        raise ConfigError(
            f"training needs about {_size(needed.memory)} of memory, {_size(needed.memory - free)} more than is free "
            f"on {device}; use a smaller `micro_batch` or network, or `force` the start."
        )
    while not folder.exists():
        folder = folder.parent
    free = shutil.disk_usage(folder).free
    if needed.disk > free:
        raise ConfigError(
            f"the run writes about {_size(needed.disk)} ({needed.snapshots + needed.drawings} snapshots), "
            f"{_size(needed.disk - free)} more than is free at {folder}; write fewer with a larger "
            "`snap_ticks` or a smaller `keep_snapshots`, or `force` the start."
        )


def largest_micro_batch(
    config: TrainConfig, device: torch.device, processes: int = 1, local_processes: int = 1
) -> TrainConfig:
    """The same run with as many images computed at once as memory allows; the batch accumulates over them.

    The batch is shared by `processes`, and the main memory of this machine by `local_processes` of them.

    Raises: ConfigError if not even the smallest micro-batch fits.
    """
    group = config.discriminator.get("mbstd_group_size", 4) or 1
    free = available_bytes(device, local_processes)
    n = share = config.batch // processes
    while True:
        tried = changed(config, {"micro_batch": n})
        if free is None or estimate(tried).memory <= free:
            return tried
        if n % 2 or n // 2 < min(group, share):
            raise ConfigError(
                f"not even {n} images at once fit into the {_size(free)} free on {device}; use a smaller network."
            )
        n //= 2


def _without_values(config: TrainConfig) -> TrainingState:
    """The state at the start of training, on the meta device."""
    augment = config.augment.model_copy(update={"mode": "noaug"})  # works on few channels, where networks have hundreds
    config = config.model_copy(update={"augment": augment, "compile": False})
    with torch.random.fork_rng(devices=[]), torch.device("meta"):
        return create_state(config, torch.device("meta"))


@lru_cache(maxsize=16)
def _step_bytes(settings: str) -> int:
    """The most bytes that the phases of one micro-batch have alive, weights aside; settings as JSON, to remember."""
    config = TrainConfig.model_validate_json(settings)
    state = _without_values(config)
    state.step = config.pl_interval * config.r1_interval * config.pl_start  # when every phase is due
    n, side = config.micro_batch, config.generator["img_resolution"]
    labels = torch.empty(n, config.generator["c_dim"], device=state.device)
    img = torch.empty(n, config.generator["img_channels"], side, side, device=state.device)
    alive = _AliveBytes()
    for phase in due_phases(state, config):
        with torch.random.fork_rng(devices=[]), alive:
            phase.accumulate(state, config, [MicroBatch(img, labels, labels)])
        phase.network.zero_grad(set_to_none=True)
    return alive.peak


class _AliveBytes(TorchDispatchMode):
    """Follows the storages that operations make, and the most bytes that were alive at once."""

    def __init__(self) -> None:
        super().__init__()
        self.now = self.peak = 0
        self._known: set[int] = set()

    def __torch_dispatch__(self, func, types, args=(), kwargs=None):
        result = func(*args, **(kwargs or {}))
        tree_map_only(Tensor, self._follow, result)
        return result

    def _follow(self, x: Tensor) -> None:
        storage = x.untyped_storage()
        key = storage._cdata
        if key in self._known:
            return
        self._known.add(key)
        self.now += storage.nbytes()
        self.peak = max(self.peak, self.now)
        weakref.finalize(storage, self._freed, key, storage.nbytes())

    def _freed(self, key: int, nbytes: int) -> None:
        self._known.discard(key)
        self.now -= nbytes


def _bytes(network: nn.Module) -> int:
    return sum(t.nbytes for t in network.state_dict().values())


def _size(n: float) -> str:
    return f"{n / 1e9:.1f} GB" if n >= 1e9 else f"{n / 1e6:.0f} MB"
