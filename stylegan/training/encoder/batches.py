"""The batches of an encoder: images, their inputs, and the ws of those that the network drew itself."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor

from stylegan.data.dataset import Dataset
from stylegan.data.open import open_dataset
from stylegan.data.sources import open_source
from stylegan.errors import ConfigError, DataError
from stylegan.images.pixels import to_float
from stylegan.inversion.tasks import Task, colors_of
from stylegan.networks.generator import FamilyGenerator
from stylegan.networks.protocol import device_of
from stylegan.sampling.generate import map_latents
from stylegan.sampling.labels import class_labels
from stylegan.training.encoder.config import EncoderConfig


class Batch(NamedTuple):
    """Inputs and the images that belong to them; the ws are those of the first ones, which the network drew."""

    inputs: Tensor  # [N, channels, R, R] in [-1, 1]
    images: Tensor  # [N, C, R, R] in [-1, 1]
    ws: Tensor  # [own, num_ws, w_dim]


class EncoderData:
    """The images of a data set, and the inputs beside them.

    Raises: ConfigError for images that the network cannot draw; DataError for missing pairs, or too many colors.
    """

    def __init__(self, config: EncoderConfig, G: FamilyGenerator):
        assert config.data is not None
        self.images = open_dataset(config.data)
        self.inputs = open_dataset(config.inputs) if config.inputs is not None else None
        if (self.images.resolution, self.images.channels) != (G.img_resolution, G.img_channels):
            raise ConfigError(
                f"{config.data} has images of {self.images.resolution} pixels and {self.images.channels} channels, and "
                f"the network draws {G.img_resolution} and {G.img_channels}; prepare it in that size with `prepare`."
            )
        if config.inputs is not None:
            _require_pairs(config.data, config.inputs)
        self.stream = self.images.stream(config.seed)

    def task(self, config: EncoderConfig) -> Task:
        """Return the task with the colors or the channels of the inputs."""
        if self.inputs is None:
            return Task(name=config.task, input_px=config.input_px)
        if config.task == "labels":
            maps = self.inputs.images(range(len(self.inputs)))
            return Task(name="labels", colors=colors_of(maps.expand(-1, 3, -1, -1)[:, :3]))
        if self.inputs.channels not in (1, 3):
            raise ConfigError(f"inputs are gray or RGB images, got {self.inputs.channels} channels; remove the alpha.")
        return Task(name="pairs", input_channels=self.inputs.channels)

    def next(self, start: int, count: int, position: int) -> tuple[Tensor, Tensor | None]:
        """Return the images of a step, and their inputs where these are files, both uint8."""
        indices = self.stream.indices(start, count)
        images = self.stream.images(start, count)
        self.stream.prefetch(position, count)
        return images, None if self.inputs is None else self.inputs.images(indices)


def _require_pairs(data: str, inputs: str) -> None:
    """Raises DataError unless both data sets have the same names."""
    with open_source(data) as images, open_source(inputs) as files:
        for name, where in (
            (_first_missing(images.names, files.names), inputs),
            (_first_missing(files.names, images.names), data),
        ):
            if name is not None:
                raise DataError(f"{where} has no image {name!r}, which belongs to a pair; add it, or remove the other.")


def _first_missing(names: list[str], others: list[str]) -> str | None:
    """Return the first name without its extension that is not among others."""
    known = {other.rpartition(".")[0] for other in others}
    return next((name for name in names if name.rpartition(".")[0] not in known), None)


def random_labels(G: FamilyGenerator, label: str | None, n: int) -> Tensor | None:
    """Return the c of n images: of one label, or of classes that torch's generator draws.

    Raises: ConfigError for a network whose labels are vectors, without a label.
    """
    if label is None and G.c_dim and G.label_names is None:
        return F.one_hot(torch.randint(G.c_dim, [n]), G.c_dim).float()
    return class_labels(G, label, n)


@torch.no_grad()
def own_ws(G: FamilyGenerator, config: EncoderConfig, n: int) -> Tensor:
    """Return the ws of n random images of the network, [n, num_ws, w_dim]; in W+ some mix two w at a random layer.

    Draws from torch's generator of the CPU, so that every device trains on the same latents.
    """

    def drawn() -> Tensor:
        return map_latents(G, torch.randn(n, G.z_dim), random_labels(G, config.label, n), psi=1, cutoff=None)

    ws = drawn()
    if config.space == "w" or not config.mixing_prob or G.num_ws == 1:
        return ws
    first = torch.randint(1, G.num_ws, [n, 1, 1])
    mixed = (torch.rand(n, 1, 1) < config.mixing_prob) & (torch.arange(G.num_ws)[:, None] >= first)
    return torch.where(mixed.to(ws.device), drawn(), ws)


@torch.no_grad()
def next_batch(G: FamilyGenerator, task: Task, config: EncoderConfig, data: EncoderData | None, nimg: int) -> Batch:
    """Return the batch after `nimg` images. Draws from torch's generator."""
    device, own = device_of(G), config.own
    ws = own_ws(G, config, own) if own else torch.zeros(0, G.num_ws, G.w_dim, device=device)
    images = [G.synthesis(ws, noise_mode="const")] if own else []
    files = None
    if data is not None and own < config.batch:
        count = config.batch - own
        start = nimg // config.batch * count
        pixels, files = data.next(start, count, start + count)
        images.append(to_float(pixels.to(device)))
    together = torch.cat(images)
    if files is not None:
        return Batch(task.of_files(files.to(device), G.img_resolution), together, ws)
    return Batch(task.of_images(together), together, ws)


def positions(dataset: Dataset, n: int) -> np.ndarray:
    """Return the indices of n images to look at, the same at every call."""
    return np.resize(dataset.preview(), n)
