from __future__ import annotations

import tracemalloc

import numpy as np

from stylegan.data import Dataset
from stylegan.data.labels import LabelTable
from stylegan.data.subset import Subset
from stylegan.training.snapshot_grid import SnapshotGrid


class Pixels:
    """Images of 16x16 that are made when they are read, each with its number in its first three values."""

    def __init__(self, n: int):
        self.shape = (n, 3, 16, 16)

    def __getitem__(self, index: np.ndarray) -> np.ndarray:
        img = np.zeros((len(index), *self.shape[1:]), np.uint8)
        img[:, :, 0, 0] = np.stack([index >> 16, index >> 8, index], 1)
        return img


def dataset(values: np.ndarray) -> Dataset:
    n = len(values)
    return Dataset("x", "x", "x", Pixels(n), LabelTable(values), Subset(np.arange(n)))


def shown(grid: SnapshotGrid) -> np.ndarray:
    """The numbers of the images of a grid, [rows, columns]."""
    numbers = grid.real[:, :, 0, 0].long().numpy() @ [65536, 256, 1]
    return numbers.reshape(grid.rows, grid.columns)


def test_the_grid_of_a_million_images_of_a_thousand_classes_needs_no_table_of_both():
    classes = np.random.RandomState(0).randint(0, 1000, 1_000_000)
    images = dataset(classes)
    tracemalloc.start()
    grid = SnapshotGrid(images, z_dim=4, batch=8)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < 200e6  # the images by number take 8 MB; one-hot rows would take 4 GB
    assert [sorted(set(classes[row])) for row in shown(grid)] == [[k] for k in range(grid.rows)]


def test_rows_of_label_vectors_share_one_vector():
    vectors = np.random.RandomState(0).randint(0, 2, (500, 3)).astype(np.float32)
    grid = SnapshotGrid(dataset(vectors), z_dim=4, batch=8)
    rows = [np.unique(vectors[row], axis=0).tolist() for row in shown(grid)]
    assert rows == [[list(map(float, f"{k:03b}"))] for k in reversed(range(8))]


def test_classes_and_their_one_hot_vectors_give_the_same_grid():
    classes = np.random.RandomState(1).randint(0, 5, 300)
    numbers, vectors = (shown(SnapshotGrid(dataset(x), 4, 8)) for x in (classes, np.eye(5, dtype=np.float32)[classes]))
    assert (numbers == vectors).all()
