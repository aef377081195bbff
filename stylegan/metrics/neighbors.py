"""The sheet of generated images that look most like copies, each beside the real image that is nearest to it."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import chain

from torch import Tensor

from stylegan.data.dataset import Dataset
from stylegan.images.grid import grid
from stylegan.metrics.batches import fake_images
from stylegan.metrics.protocol import Score
from stylegan.metrics.subject import Subject

COLUMNS = 8  # images in a row of the sheet: four pairs


def nearest_pairs(score: Score) -> list[Sequence[float]]:
    """Return [generated, real, ratio] of the nearest pairs of an authenticity, nearest first."""
    return (score.details or {}).get("nearest", [])


def neighbor_sheet(score: Score, subject: Subject) -> Tensor:
    """Return the pairs of an authenticity as one image, uint8 [C, H, W]: left generated, right real, nearest first.

    Args:
        subject: with the network or images, the data set, and the seed of the score.
    """
    pairs = nearest_pairs(score)
    numbers = [int(pair[0]) for pair in pairs]
    if subject.images is None:
        with subject.forked_random_numbers():
            fakes: Sequence[Tensor] = fake_images(
                subject.generator, subject.dataset, subject.num, subject.seed, numbers
            )
    else:
        fakes = list(_images(subject.images, subject.chosen_images()[numbers].tolist()))
    reals = _images(subject.reals, [int(pair[1]) for pair in pairs])
    return grid(list(chain.from_iterable(zip(fakes, reals, strict=True))), COLUMNS)


def _images(dataset: Dataset, indices: Sequence[int]) -> Tensor:
    return dataset.images(indices)
