"""Runs so small that hundreds of them fit into a minute, and the SHA-256 of everything in one."""

from __future__ import annotations

import dataclasses
import hashlib
import json
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any
from unittest import mock

import torch
from tiny_run import tiny_config, tiny_images

from stylegan.files.checksums import CHECKSUMS
from stylegan.training import loop
from stylegan.training.config import TrainConfig
from stylegan.training.gradient_watch import GradientWatch
from stylegan.training.snapshot_grid import SnapshotGrid
from stylegan.training.state import TrainingState
from stylegan.training.statistics import Statistics

BATCH = 4


def small_images(folder: Path, *, classes: int = 0) -> Path:
    return tiny_images(folder, count=13, size=8, classes=classes)  # epochs end in the middle of batches


def small_config(data: Path, *, steps: int, tick: int = 1, label_dim: int = 0, **changes) -> TrainConfig:
    """Return a configuration for 8x8 images, 4 per step, with a snapshot every `tick` steps."""
    networks = {"img_resolution": 8, "channel_base": 64, "channel_max": 8}
    narrow = {f"{network}.{k}": v for network in ("generator", "discriminator") for k, v in networks.items()}
    lengths = {"kimg": steps * BATCH / 1000, "tick_kimg": tick * BATCH / 1000, "batch": BATCH, "micro_batch": BATCH}
    return tiny_config(data, label_dim=label_dim, **{**narrow, **lengths, "generator.mapping_layers": 2, **changes})


@contextmanager
def small_files(*, one_folder: bool = False) -> Iterator[None]:
    """Grids of four images, and snapshots named by single images, so that each has a folder of its own.

    With `one_folder` all of them are of 000000 kimg, so that each takes the place of the one before.
    """

    def four(grid: SnapshotGrid, *arguments: Any) -> None:
        whole(grid, *arguments)
        grid.columns = grid.rows = 2
        grid.real, grid.z, grid.c = grid.real[:4], grid.z[:1], grid.c[:1]

    def folder(run: Path, nimg: int) -> Path:
        return run / "snapshots" / ("000000" if one_folder else f"{nimg:06d}")

    whole = SnapshotGrid.__init__
    with mock.patch.object(SnapshotGrid, "__init__", four), mock.patch.object(loop, "snapshot_folder", folder):
        yield


def train_small(config: TrainConfig, run: Path, *, stop_after: int | None = None) -> TrainingState:
    """Train to the end, or stop after a number of steps; returns the state in memory."""
    run.joinpath("snapshots").mkdir(parents=True, exist_ok=True)
    made: list[TrainingState] = []
    stop = threading.Event()

    def step(state: TrainingState, *arguments: Any) -> None:
        original(state, *arguments)
        made[:] = [state]
        if stop_after is not None and state.step >= stop_after:
            stop.set()

    original = loop.train_step
    with small_files(), mock.patch.object(loop, "train_step", step):
        for _ in loop.train(config, run, stop=stop):
            torch.rand(3)  # other uses of the generator change nothing
    return made[0]


def digests(state: TrainingState) -> dict[str, str]:
    """Return SHA-256 sums of the training state by name, including memory formats, which affect rounding."""
    names = [field.name for field in dataclasses.fields(state) if field.name != "world"]  # world is set at the start
    return {name + part: sha for name in names for part, sha in _leaves(getattr(state, name))}


def _leaves(value: Any) -> Iterator[tuple[str, str]]:
    if isinstance(value, torch.nn.Module):
        value = {**dict(value.named_parameters()), **dict(value.named_buffers()), "training": value.training}
    elif isinstance(value, torch.optim.Optimizer):
        value = value.state_dict()
    elif isinstance(value, (Statistics, GradientWatch)):
        value = vars(value)
    if isinstance(value, (dict, list, tuple)):
        for key, part in value.items() if isinstance(value, dict) else enumerate(value):
            yield from ((f".{key}{name}", sha) for name, sha in _leaves(part))
    elif isinstance(value, torch.Tensor):
        layout = f"{value.dtype}{list(value.shape)}{value.stride()}".encode()
        yield "", hashlib.sha256(layout + value.detach().contiguous().numpy().tobytes()).hexdigest()
    elif value is None or isinstance(value, (bool, int, float, str)):
        yield "", hashlib.sha256(repr(value).encode()).hexdigest()
    else:
        raise TypeError(f"the state of training holds a {type(value)}: say how it goes into a snapshot")


def folder_digest(snapshot: Path) -> str:
    """Return the SHA-256 over all files of a snapshot, after comparing them with their list of checksums."""
    listed = json.loads((snapshot / CHECKSUMS).read_text())
    assert listed == {
        p.name: {"bytes": p.stat().st_size, "sha256": hashlib.sha256(p.read_bytes()).hexdigest()}
        for p in sorted(snapshot.iterdir())
        if p.name != CHECKSUMS
    }
    return hashlib.sha256((snapshot / CHECKSUMS).read_bytes()).hexdigest()


def ticks_of(run: Path) -> list[int]:
    return [json.loads(line)["nimg"] for line in (run / "stats.jsonl").read_text().splitlines()]
