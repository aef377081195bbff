"""Estimates of the memory and the disk that a run needs.

One step of every phase runs on PyTorch's meta device, where tensors have sizes but no values, while the bytes alive are
added up. This takes seconds for any network, and none of its memory.
"""

from __future__ import annotations

import math
import weakref
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path

import torch
from torch import Tensor, nn
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_map_only

from stylegan.errors import ConfigError
from stylegan.files.cache import default_cache, existing_folder, free_bytes
from stylegan.files.counted import counted
from stylegan.machine.memory import available_bytes
from stylegan.training.config import DataConfig, TrainConfig, changed
from stylegan.training.phases import MicroBatch, due_phases
from stylegan.training.snapshot_grid import grid_shape
from stylegan.training.state import TrainingState, create_state

PROCESS_BYTES = 350e6  # PyTorch itself, before the first tensor; a CUDA context is about as large
WORKSPACE = 1.4  # factor for buffers of convolutions and gaps between tensors, measured on a CPU


@dataclass(frozen=True, kw_only=True)
class Estimate:
    """Bytes that a run needs. On a CPU, `memory` is 0.92 to 1.05 of the measured peak, from 16 to 256 px."""

    weights: int  # G, D and the averaged G
    moments: int  # of both optimizers
    step: int  # peak of one micro-batch: activations, gradients, derivatives of both
    snapshot: int  # one that can be resumed; writing it takes as much memory
    snapshots: int  # number of these
    drawing: int  # an older one, which keeps the generator only
    drawings: int  # number of these
    grids: int  # all image grids
    cache: int = 0  # growth of the cache of decoded images

    @property
    def memory(self) -> int:
        return int(PROCESS_BYTES) + self.weights + self.moments + self.snapshot + self.step

    @property
    def disk(self) -> int:
        being_thinned_out = self.snapshot - self.drawing if self.drawings else 0  # until the next is written
        return self.snapshot * self.snapshots + self.drawing * self.drawings + being_thinned_out + self.grids

    def __str__(self) -> str:
        return (
            f"About {_size(self.memory)} of memory: weights {_size(self.weights)}, optimizers {_size(self.moments)}, "
            f"one step {_size(self.step)}, writing a snapshot {_size(self.snapshot)}, the rest for PyTorch.\n"
            f"About {_size(self.disk)} on the disk: {counted(self.snapshots, 'snapshot')} of {_size(self.snapshot)}, "
            f"{counted(self.drawings, 'older one')} of {_size(self.drawing)}, image grids up to {_size(self.grids)}."
            + (f"\nAbout {_size(self.cache)} of cache for the decoded images." if self.cache else "")
        )


def estimate(config: TrainConfig, nimg: int = 0) -> Estimate:
    """Estimate what the run needs from `nimg` images to its end."""
    state = _without_values(config)
    weights = sum(_bytes(network) for network in (state.G, state.G_ema, state.D))
    groups = state.G_opt.param_groups + state.D_opt.param_groups
    moments = 2 * sum(p.nbytes for group in groups for p in group["params"])
    same = config.model_copy(
        update={"data": DataConfig(path=""), "kimg": 1.0, "seed": 0}
    )  # irrelevant here, so that the result is remembered
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
    folder = existing_folder(folder)
    room = free_bytes(folder)
    if needed.disk > room:
        raise ConfigError(
            f"the run writes about {_size(needed.disk)} ({counted(needed.snapshots + needed.drawings, 'snapshot')}), "
            f"{_size(needed.disk - room)} more than is free at {folder}; write fewer with a larger "
            "`snap_ticks` or a smaller `keep_snapshots`, or `force` the start."
        )
    cache = existing_folder(default_cache())
    room = free_bytes(cache)
    if cache.stat().st_dev == folder.stat().st_dev:  # one disk must hold both
        room -= needed.disk
    if needed.cache > room:
        raise ConfigError(
            f"the decoded images take about {_size(needed.cache)} of cache, {_size(needed.cache - room)} more than "
            f"will be free at {cache}; set STYLEGAN_CACHE to a folder with more room, set `data.cache_gb` to less than "
            "that so that they are decoded at every use, or `force` the start."
        )


def largest_micro_batch(
    config: TrainConfig, device: torch.device, processes: int = 1, local_processes: int = 1
) -> TrainConfig:
    """Return the same run with as many images computed at once as memory allows; the batch accumulates over them.

    The batch is shared by `processes`, and the main memory of this machine by `local_processes` of them.

    Raises: ConfigError if not even the smallest micro-batch fits.
    """
    group = config.group_size or 1
    share = config.batch // processes
    sizes = [n for n in range(share, 0, -1) if share % n == 0 and n % min(group, share) == 0] or [share]
    free = available_bytes(device, local_processes)
    for n in sizes:
        tried = changed(config, {"micro_batch": n})
        if free is None or estimate(tried).memory <= free:
            return tried
    raise ConfigError(
        f"not even {sizes[-1]} images at once fit into the {_size(free or 0)} free on {device}; use a smaller network."
    )


def _without_values(config: TrainConfig) -> TrainingState:
    """Return the state at the start of training, on the meta device."""
    augment = config.augment.model_copy(update={"mode": "noaug"})  # its few channels take little memory
    config = config.model_copy(update={"augment": augment, "compile": False})
    with torch.random.fork_rng(devices=[]), torch.device("meta"):
        return create_state(config, torch.device("meta"))


@lru_cache(maxsize=16)
def _step_bytes(settings: str) -> int:
    """Return the peak bytes of the phases of one micro-batch, without weights. Settings are JSON, to be cached."""
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
        for player in phase.players:
            player.network.zero_grad(set_to_none=True)
    return alive.peak


class _AliveBytes(TorchDispatchMode):
    """Follows the storages that operations allocate, and the peak of the bytes alive."""

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
