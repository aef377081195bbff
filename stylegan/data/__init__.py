"""Images on disk -> batches: `prepare` makes a checked data set of any source, `open_dataset` reads it."""

from stylegan.data.dataset import Dataset
from stylegan.data.open import open_dataset
from stylegan.data.order import shuffled_indices
from stylegan.data.prepare import PrepareConfig, PrepareReport, PrepareStep, prepare, prepare_steps

__all__ = [
    "Dataset",
    "PrepareConfig",
    "PrepareReport",
    "PrepareStep",
    "open_dataset",
    "prepare",
    "prepare_steps",
    "shuffled_indices",
]
