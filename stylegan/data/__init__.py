"""Images on disk -> batches: `prepare` makes a checked data set of any source, `Dataset` reads it."""

from stylegan.data.dataset import Dataset
from stylegan.data.order import shuffled_indices
from stylegan.data.prepare import PrepareConfig, PrepareReport, PrepareStep, prepare, prepare_steps

__all__ = [
    "Dataset",
    "PrepareConfig",
    "PrepareReport",
    "PrepareStep",
    "prepare",
    "prepare_steps",
    "shuffled_indices",
]
