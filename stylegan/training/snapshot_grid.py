"""The image grid of a run: the same latents at every snapshot, to watch the network learn."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from stylegan.data.dataset import Dataset
from stylegan.data.order import members_of
from stylegan.images.grid import make_grid
from stylegan.images.pixels import to_uint8
from stylegan.images.png import save_png
from stylegan.networks.generator import FamilyGenerator
from stylegan.sampling.latents import latents


def grid_shape(resolution: int) -> tuple[int, int]:
    """Return the columns and rows of images that fit 1920x1080 pixels, from 4x4 to 16x8."""
    return min(max(1920 // resolution, 4), 16), min(max(1080 // resolution, 4), 8)


class SnapshotGrid:
    """A grid of real and one of generated images, see `grid_shape`; with labels, each row has one label."""

    def __init__(self, dataset: Dataset, z_dim: int, batch: int):
        self.columns, self.rows = grid_shape(dataset.resolution)
        chosen = _choose(dataset, self.rows, self.columns)
        self.real = dataset.images(chosen)
        self.z = latents(range(len(chosen)), z_dim).split(batch)
        self.c = dataset.labels(chosen).split(batch)

    def write_reals(self, path: Path) -> Path:
        """Write real images of the data set."""
        return self._write(path, self.real)

    @torch.inference_mode()
    def write_fakes(self, path: Path, G: FamilyGenerator) -> Path:
        """Write the images of `G` for the fixed latents, with its constant noise."""
        device = next(G.parameters()).device
        batches = [
            to_uint8(G(z.to(device), c.to(device), noise_mode="const")).cpu()
            for z, c in zip(self.z, self.c, strict=True)
        ]
        return self._write(path, torch.cat(batches))

    def _write(self, path: Path, images: Tensor) -> Path:
        save_png(make_grid(images, self.columns, self.rows), path)
        return path


def _choose(dataset: Dataset, rows: int, columns: int) -> np.ndarray:
    """Return the indices of rows * columns images; with labels, those of a row share one."""
    order = dataset.preview()
    if dataset.label_dim == 0:
        return np.resize(order, rows * columns)
    groups = [order[positions] for positions in _of_equal_label(dataset, order)]
    return np.concatenate([np.resize(groups[row % len(groups)], columns) for row in range(rows)])


def _of_equal_label(dataset: Dataset, order: np.ndarray) -> list[np.ndarray]:
    """The positions in `order` of the images of each class, or of each label vector among the first 65,536."""
    numbers = dataset.class_numbers(order)
    if numbers is not None:
        return members_of(numbers)
    _, row_of = np.unique(-dataset.labels(order[:65_536]).numpy(), axis=0, return_inverse=True)
    return members_of(row_of.ravel())
