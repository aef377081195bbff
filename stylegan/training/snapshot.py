"""Snapshots of a run: a native checkpoint and what resuming needs.

    training.json             counters, the data set, the machine
    training.safetensors      moments of both optimizers, running means, strength of augmentation
    checksums.json            size and SHA-256 of every other file

Random numbers and the order of the data are functions of the seed and the counters, so they need no state.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError
from safetensors.torch import load_file
from torch import Tensor

from stylegan.checkpoints.checkpoint import Checkpoint
from stylegan.checkpoints.layout import COUNTERS, NETWORKS, TENSORS
from stylegan.checkpoints.native import Contents, contents, write
from stylegan.errors import CheckpointError
from stylegan.files.atomic import atomic_folder
from stylegan.files.checksums import write_checksums
from stylegan.machine.environment import environment, warn_if_changed
from stylegan.training.adam import moments, restore_moments
from stylegan.training.state import TrainingState


def capture(state: TrainingState, *, origin: str, licence: str | None = None, data: dict[str, Any]) -> Contents:
    """Copy everything that training changes into memory; `data` identifies the data set."""
    p = float(state.augment_p) if state.augment_p is not None else 0.0
    networks = Checkpoint(
        G_ema=state.G_ema, G=state.G, D=state.D, augment_p=p, nimg=state.nimg, origin=origin, licence=licence
    )
    files = contents(networks)
    tensors = {"pl_mean": state.pl_mean, "signs": state.signs}
    if state.augment_p is not None:
        tensors["augment_p"] = state.augment_p
    for name, optimizer in (("G_opt", state.G_opt), ("D_opt", state.D_opt)):
        tensors |= {f"{name}.{key}": value for key, value in moments(optimizer).items()}
    place = environment(state.device, state.world.size)
    counters = {"nimg": state.nimg, "step": state.step, "rollbacks": state.rollbacks, **data, "environment": place}
    return Contents(
        {**files.texts, COUNTERS: json.dumps(counters) + "\n"},
        {name: copies(group) for name, group in {**files.tensors, TENSORS: tensors}.items()},
    )


def write_snapshot(files: Contents, folder: Path) -> None:
    """Write a captured snapshot, whole or not at all. Raises: OutputError if the disk is full or cannot be written."""
    with atomic_folder(folder) as temporary:
        write(files, temporary)
        write_checksums(temporary)


def load_snapshot(state: TrainingState, folder: Path) -> dict[str, Any]:
    """Set `state`, made from the same configuration, to that of the snapshot; return the identity of its data set.

    Raises: CheckpointError if a file is missing, damaged, or holds other shapes than the networks of `state`.
    """
    try:
        for name, file in NETWORKS.items():
            getattr(state, name).load_state_dict(load_file(folder / file))
        tensors = load_file(folder / TENSORS)
        counters = json.loads((folder / COUNTERS).read_text(encoding="utf-8"))
        state.nimg, state.step = counters.pop("nimg"), counters.pop("step")
        state.rollbacks = counters.pop("rollbacks", 0)  # older snapshots have none
        for name in ("pl_mean", "signs"):
            setattr(state, name, tensors.pop(name).to(state.device))
        if state.augment_p is not None:
            state.augment_p.copy_(tensors.pop("augment_p"))
        for name, optimizer in (("G_opt", state.G_opt), ("D_opt", state.D_opt)):
            prefix = f"{name}."
            restore_moments(optimizer, {k.removeprefix(prefix): v for k, v in tensors.items() if k.startswith(prefix)})
    except (OSError, SafetensorError, ValueError, KeyError, TypeError, AttributeError, RuntimeError) as error:
        # load_state_dict lists every layer; its first line that names a cause is enough
        lines = str(error).splitlines()
        reason = (lines[1:] or lines or [type(error).__name__])[0].strip()
        raise CheckpointError(
            f"snapshot {folder} cannot be resumed ({reason}); remove that folder to resume from an older one."
        ) from error
    warn_if_changed(counters.pop("environment", {}), environment(state.device, state.world.size))
    return counters


def copies(tensors: dict[str, Tensor]) -> dict[str, Tensor]:
    """Return copies on the CPU, which training does not change."""
    return {k: v.detach().to("cpu", copy=True, memory_format=torch.contiguous_format) for k, v in tensors.items()}
