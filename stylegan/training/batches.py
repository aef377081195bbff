"""The data set of a run, and the batch of each step."""

from __future__ import annotations

import threading
import warnings
from typing import Any

import torch
from torch import Tensor

from stylegan.data.dataset import Dataset
from stylegan.data.open import open_dataset
from stylegan.errors import ConfigError
from stylegan.images.pixels import to_float
from stylegan.machine.processes import World
from stylegan.training.config import DataConfig, TrainConfig
from stylegan.training.growing import fade
from stylegan.training.phases import MicroBatch
from stylegan.training.replicas import micro_batch_size
from stylegan.training.state import TrainingState


def open_training_set(data: DataConfig, seed: int, processes: int = 1) -> Dataset:
    """Open the data set of a configuration for `processes` of this machine; the seed chooses the subset."""
    dataset = open_dataset(
        data.path,
        use_labels=data.labels,
        max_images=data.max_images,
        mirror=data.mirror,
        mirror_y=data.mirror_y,
        held_out=data.held_out,
        seed=seed,
        workers=data.workers,
        cache_gb=data.cache_gb,
        processes=processes,
    )
    if data.balanced:
        _ = dataset.class_members  # raises now rather than at the first step
    return dataset


def check_fits(config: TrainConfig, dataset: Dataset) -> None:
    """Raise ConfigError unless the networks have the resolution, channels and labels of the data set."""
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
    """Return what a snapshot records of the data set, for `check_same`."""
    return {"pictures": len(dataset), "data_fingerprint": dataset.fingerprint, "labels": dataset.labels_fingerprint}


def check_same(seen: dict[str, Any], dataset: Dataset) -> None:
    """Check that a resumed run has the images that it began with.

    Raises: ConfigError for another number of images or other labels; other images are a RuntimeWarning.
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


class Batches:
    """The batches of one process, in the order of the data set's stream. While a step computes, the next one is read.

    Args:
        end: number of images after which training ends, and nothing more is read.
    """

    def __init__(self, config: TrainConfig, dataset: Dataset, world: World, end: int):
        self._dataset, self._world, self._end = dataset, world, end
        self._stream = dataset.stream(config.seed, world.rank, world.size, balanced=config.data.balanced)

    def next(self, config: TrainConfig, state: TrainingState) -> list[MicroBatch]:
        """This process's share of the batch at `state.nimg`, cut into micro-batches.

        Draws the labels of generated images from torch's generator. Raises: DataError if an image cannot be read.
        """
        start, size = state.nimg, micro_batch_size(config, self._world.size)
        real = self._stream.indices(start, config.batch)
        images = self._stream.images(start, config.batch)
        candidates = self._stream.label_indices(start)
        fake = [candidates[i] for i in torch.randint(len(candidates), [len(real)]).tolist()]
        if start + config.batch < self._end:
            self._stream.prefetch(start + config.batch, config.batch)
        img = fade(to_float(_upload(images, state.device)), state.lod)
        parts = (
            img.contiguous(memory_format=torch.channels_last).split(size),
            _upload(self._dataset.labels(real), state.device).split(size),
            _upload(self._dataset.labels(fake), state.device).split(size),
        )
        return [MicroBatch(*part) for part in zip(*parts, strict=True)]

    def await_next(self, config: TrainConfig, state: TrainingState, stop: threading.Event) -> None:
        """Return once `next` need not wait for images, or `stop` is set."""
        while not stop.is_set() and not self._stream.ready(state.nimg, config.batch, timeout_s=0.05):
            pass


def _upload(x: Tensor, device: torch.device) -> Tensor:
    return x.pin_memory().to(device, non_blocking=True) if device.type == "cuda" else x.to(device)
