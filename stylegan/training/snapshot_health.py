"""Statistics of generated images, which cost time and so are measured at snapshots only."""

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

IMAGES = 64  # of each kind, at least
MIN_SEPARATION = 0.5  # of the mean scores of training and generated images; below, the difference is noise


class SnapshotHealth:
    """Measures the same latents and the same real images at every snapshot.

    Health/diversity: standard deviation over images, mean over pixels, of generated images relative to real ones.
    Health/held_out_gap: with held-out images, the r_v of StyleGAN2-ADA Eq. 1,
        (E[D(train)] - E[D(held out)]) / (E[D(train)] - E[D(generated)]): 0 without overfitting, 1 at worst.
        Left out while D does not separate training images from generated ones.
    Health/scores/held_out: E[D(held out)].

    Args:
        micro_batch: images that D gets at once; the same as in training, since D compares the images of a batch.
    """

    def __init__(self, dataset: Dataset, z_dim: int, micro_batch: int):
        n = -(-IMAGES // micro_batch) * micro_batch
        self._batch = micro_batch
        self._z = latents(range(n), z_dim)
        real, self._c = _fixed(dataset, n)
        self._real_spread = _spread(map(to_float, real.split(micro_batch)))
        self._train = self._held_out = None
        if dataset.held_out is not None:
            self._train, self._held_out = (real, self._c), _fixed(dataset.held_out, n)

    @torch.no_grad()
    def __call__(self, state: TrainingState) -> dict[str, dict[str, float]]:
        """Return the statistics by name, in the form of `Statistics.collect`."""
        state.D.eval()  # some discriminators follow what they see in training
        try:
            return self._measured(state)
        finally:
            state.D.train()

    def _measured(self, state: TrainingState) -> dict[str, dict[str, float]]:
        scores: list[Tensor] = []

        def drawn() -> Iterator[Tensor]:
            for z, c in zip(self._z.split(self._batch), self._c.to(state.device).split(self._batch), strict=True):
                img = state.G_ema(z.to(state.device), c, noise_mode="const")
                if self._held_out is not None:
                    scores.append(discriminate(state, state.D, img, c))
                yield img

        result = {"Health/diversity": _spread(drawn()) / max(self._real_spread, 1e-8)}
        if self._train is not None and self._held_out is not None:
            train, held_out = (self._mean_score(state, *images) for images in (self._train, self._held_out))
            separation = train - float(torch.cat(scores).mean())
            result["Health/scores/held_out"] = held_out
            if separation > MIN_SEPARATION:
                result["Health/held_out_gap"] = (train - held_out) / separation
        return {name: {"num": 1, "mean": value, "std": 0.0} for name, value in result.items()}

    def _mean_score(self, state: TrainingState, images: Tensor, labels: Tensor) -> float:
        scores = [
            discriminate(state, state.D, to_float(img.to(state.device)), c.to(state.device))
            for img, c in zip(images.split(self._batch), labels.split(self._batch), strict=True)
        ]
        return float(torch.cat(scores).mean())


def _fixed(dataset: Dataset, n: int) -> tuple[Tensor, Tensor]:
    """Return the same n images, uint8 [n, C, H, W], and labels at every call; a small set is repeated."""
    chosen = np.resize(dataset.preview(), n)
    return dataset.images(chosen), dataset.labels(chosen)


def _spread(batches: Iterable[Tensor]) -> float:
    """Return the standard deviation over images in [-1, 1], averaged over pixels."""
    n, total, squares = 0, torch.zeros(()), torch.zeros(())
    for batch in batches:
        img = batch.clamp(-1, 1).cpu().double()
        n, total, squares = n + len(img), total + img.sum(0), squares + img.square().sum(0)
    return float((squares / n - (total / n).square()).clamp(min=0).sqrt().mean())
