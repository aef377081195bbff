"""The images of a run: its data set, and what each step sees of it."""

from __future__ import annotations

import threading
import warnings
from typing import Any

import numpy as np
import torch
from torch import Tensor

from stylegan.data.dataset import Dataset
from stylegan.data.shards.dataset import open_any
from stylegan.errors import ConfigError
from stylegan.images.pixels import to_float
from stylegan.machine.processes import World
from stylegan.training.config import DataConfig, TrainConfig
from stylegan.training.growing import fade
from stylegan.training.phases import MicroBatch
from stylegan.training.replicas import micro_batch_size
from stylegan.training.state import TrainingState


def open_dataset(data: DataConfig, seed: int, processes: int = 1) -> Dataset:
    """Open the data set of a configuration for `processes` of this machine; the seed chooses the subset."""
    dataset = open_any(
        data.path,
        use_labels=data.labels,
        max_images=data.max_images,
        mirror=data.mirror,
        held_out=data.held_out,
        seed=seed,
        workers=data.workers,
        cache_gb=data.cache_gb,
        processes=processes,
    )
    if data.balanced:
        _ = dataset.class_members  # raises now what would end the run at its first step
    return dataset


def check_fits(config: TrainConfig, dataset: Dataset) -> None:
    """Raises ConfigError unless the networks take and draw what the data set holds."""
    for name, found in (
        ("img_resolution", dataset.resolution),
        ("img_channels", dataset.channels),
        ("c_dim", dataset.label_dim),
    ):
        for network in ("generator", "discriminator"):
            expected = getattr(config, network)[name]
            if expected != found:
                raise ConfigError(
                    f"{network} has {name} {expected}, but the data set {dataset.path} has {found}; "
                    "train on data like that of the run, or start a new run."
                )


def identity(dataset: Dataset) -> dict[str, Any]:
    """What a snapshot remembers of the images, for `check_same`."""
    return {"pictures": len(dataset), "data_fingerprint": dataset.fingerprint, "labels": dataset.labels_fingerprint}


def check_same(seen: dict[str, Any], dataset: Dataset) -> None:
    """A run goes on with the images that it began with.

    Raises: ConfigError for another number of them, or other labels; warns of other images.
    """
    if seen.get("pictures", len(dataset)) != len(dataset):
        raise ConfigError(
            f"the run was trained on {seen['pictures']} images, but {dataset.path} now has {len(dataset)}; "
            "give the same data, or start a new run."
        )
    if seen.get("labels", dataset.labels_fingerprint) != dataset.labels_fingerprint:
        raise ConfigError(
            f"the labels of {dataset.path} are not those that the run was trained on; give the same, "
            "or start a new run with `transfer`."
        )
    if seen.get("data_fingerprint", dataset.fingerprint) != dataset.fingerprint:
        warnings.warn(f"{dataset.path} was changed or moved since the last snapshot.", RuntimeWarning, stacklevel=3)


def next_micro_batches(config: TrainConfig, state: TrainingState, dataset: Dataset) -> list[MicroBatch]:
    """This process's share of the next images of the shuffled data set, cut to size."""
    size = micro_batch_size(config, state.world.size)
    indices, fake = _choose(config, state.nimg, state.world, dataset)
    img = fade(to_float(_upload(dataset.images(indices), state.device)), state.lod)
    parts = (
        img.contiguous(memory_format=torch.channels_last).split(size),
        _upload(dataset.labels(indices), state.device).split(size),
        _upload(dataset.labels(fake), state.device).split(size),
    )
    return [MicroBatch(*part) for part in zip(*parts, strict=True)]


def await_next(config: TrainConfig, state: TrainingState, dataset: Dataset, stop: threading.Event) -> None:
    """Return once `next_micro_batches` need not wait for data, or `stop` is set."""
    where = (config.seed, state.nimg, config.batch, state.world.rank, state.world.size)
    while not stop.is_set() and not dataset.at_hand(*where, balanced=config.data.balanced):
        stop.wait(0.05)


def _choose(config: TrainConfig, nimg: int, world: World, dataset: Dataset) -> tuple[np.ndarray, Tensor]:
    """The next real images, and others whose labels the generated ones take: distributed alike."""
    balanced, share = config.data.balanced, config.batch // world.size
    real = dataset.order(config.seed, nimg, config.batch, world.rank, world.size, balanced=balanced)
    if not balanced:
        return real, torch.randint(len(dataset), [share])
    some = torch.from_numpy(dataset.one_of_each_class(config.seed, nimg, world.rank, world.size))
    return real, some[torch.randint(len(some), [share])]


def _upload(x: Tensor, device: torch.device) -> Tensor:
    return x.pin_memory().to(device, non_blocking=True) if device.type == "cuda" else x.to(device)
