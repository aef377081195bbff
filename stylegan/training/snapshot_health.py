"""Statistics that are worth drawing images for, and so are measured with each snapshot only."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

import numpy as np
import torch
from torch import Tensor

from stylegan.data.dataset import Dataset
from stylegan.images.pixels import to_float
from stylegan.sampling.latents import latents
from stylegan.training.phases import discriminate
from stylegan.training.state import TrainingState

IMAGES = 64  # at least so many of each kind are looked at
TOLD_APART = 0.5  # between the mean scores of training images and generated ones; below, their difference is noise


class SnapshotHealth:
    """Compares the same latents and the same real images at every snapshot.

    Health/diversity: standard deviation over images, mean over pixels, of generated images relative to real ones.
    Health/held_out_gap: with held-out images, the r_v of StyleGAN2-ADA Eq. 1,
        (E[D(train)] - E[D(held out)]) / (E[D(train)] - E[D(generated)]): 0 without overfitting, 1 at worst.
        Left out while D cannot tell training images from generated ones.
    Health/scores/held_out: E[D(held out)].

    Args:
        micro_batch: D gets so many at once, as in training, since it compares the images of a batch.
    """

    def __init__(self, dataset: Dataset, z_dim: int, micro_batch: int):
        n = -(-IMAGES // micro_batch) * micro_batch
        self._batch = micro_batch
        self._z = latents(range(n), z_dim)
        real, self._c = _some(dataset, n)
        self._real_spread = _spread(map(to_float, real.split(micro_batch)))
        self._train = self._held_out = None
        if dataset.held_out is not None:
            self._train, self._held_out = (real, self._c), _some(dataset.held_out, n)

    @torch.no_grad()
    def __call__(self, state: TrainingState) -> dict[str, dict[str, float]]:
        """The statistics by name, in the form of `Statistics.collect`."""
        scores: list[Tensor] = []

        def drawn() -> Iterator[Tensor]:
            for z, c in zip(self._z.split(self._batch), self._c.to(state.device).split(self._batch), strict=True):
                img = state.G_ema(z.to(state.device), c, noise_mode="const")
                if self._held_out is not None:
                    scores.append(discriminate(state, state.D, img, c))
                yield img

        result = {"Health/diversity": _spread(drawn()) / max(self._real_spread, 1e-8)}
        if self._train is not None and self._held_out is not None:
            train, held_out = (self._mean_score(state, *some) for some in (self._train, self._held_out))
            told_apart = train - float(torch.cat(scores).mean())
            result["Health/scores/held_out"] = held_out
            if told_apart > TOLD_APART:
                result["Health/held_out_gap"] = (train - held_out) / told_apart
        return {name: {"num": 1, "mean": value, "std": 0.0} for name, value in result.items()}

    def _mean_score(self, state: TrainingState, images: Tensor, labels: Tensor) -> float:
        scores = [
            discriminate(state, state.D, to_float(img.to(state.device)), c.to(state.device))
            for img, c in zip(images.split(self._batch), labels.split(self._batch), strict=True)
        ]
        return float(torch.cat(scores).mean())


def _some(dataset: Dataset, n: int) -> tuple[Tensor, Tensor]:
    """n images and their labels, the same every time: uint8 [n, C, H, W], float [n, label_dim]; few come again."""
    chosen = np.resize(dataset.preview(), n)
    return dataset.images(chosen), dataset.labels(chosen)


def _spread(batches: Iterable[Tensor]) -> float:
    """Standard deviation over images in [-1, 1], mean over pixels."""
    n, total, squares = 0, torch.zeros(()), torch.zeros(())
    for batch in batches:
        img = batch.clamp(-1, 1).cpu().double()
        n, total, squares = n + len(img), total + img.sum(0), squares + img.square().sum(0)
    return float((squares / n - (total / n).square()).clamp(min=0).sqrt().mean())
