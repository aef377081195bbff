"""A classifier of images that learns the labels of a data set in seconds."""

from __future__ import annotations

from collections.abc import Sequence

import torch
import torch.nn.functional as F
from torch import Tensor

from stylegan.data import Dataset
from stylegan.errors import ConfigError, ShapeError
from stylegan.images.pixels import to_float
from stylegan.networks.efficientnet_lite import load_efficientnet_lite

SIDES = (64, 128)  # pixels; smaller images are enlarged, larger ones reduced
PLACES = (8, 4, 4)  # per side, to which the feature maps of strides 4, 8 and 16 are averaged
PENALTY = 0.03  # on the squared weights, relative to the mean squared norm of the features
HELD_OUT = 5  # one of this many images measures the accuracy


class LabelClassifier:
    """Scores images for labels by linear regression on features of EfficientNet-Lite0.

    Every place of a grid has its own weights, so the images must be aligned, as faces are.

    Args:
        images: uint8 [N, 1 or 3, R, R].
        labels: [N, A], 0 and 1, a column for each of `names`.
    Attributes:
        accuracy: of a first fit on every fifth image, which it leaves out, by name.
    Raises: MissingExtra without the package that holds the weights of the network, ShapeError for other shapes.
    """

    def __init__(self, images: Tensor, labels: Tensor, names: Sequence[str], device: torch.device | str = "cpu"):
        if len(images) != len(labels) or labels.ndim != 2 or labels.shape[1] != len(names) or len(images) < HELD_OUT:
            raise ShapeError(
                f"a classifier learns labels [N, {len(names)}] of {HELD_OUT} images or more, got {list(labels.shape)} "
                f"for {len(images)} images."
            )
        self.trunk = load_efficientnet_lite(0).to(device)
        self.names = list(names)
        x, y = self.features(images), labels.to(device, torch.float64)
        held_out = torch.arange(len(x), device=device) % HELD_OUT == 0
        self._fit(x[~held_out], y[~held_out])
        right = ((self._scores(x[held_out]) > 0.5) == (y[held_out] > 0.5)).double().mean(0)
        self.accuracy = dict(zip(self.names, right.tolist(), strict=True))
        self._fit(x, y)

    def __call__(self, images: Tensor) -> Tensor:
        """Return the scores of images uint8 [N, C, R, R], [N, A] float64: near 1 with the attribute, near 0 without."""
        return self._scores(self.features(images))

    def scores(self, images: Tensor) -> Tensor:
        """Return the scores of images [N, C, R, R] in [-1, 1] as of bytes; differentiable in the images."""
        return self._scores(self._features(images))

    @torch.no_grad()
    def features(self, images: Tensor) -> Tensor:
        """Return the features of images uint8 [N, C, R, R], [N, F] float64."""
        device = next(self.trunk.parameters()).device
        return torch.cat([self._features(to_float(part.to(device))) for part in images.split(64)])

    def _features(self, x: Tensor) -> Tensor:
        side = min(max(x.shape[-1], SIDES[0]), SIDES[1])
        if side != x.shape[-1]:
            x = F.interpolate(x, (side, side), mode="bilinear", antialias=True)
        maps = self.trunk.pyramid(x.expand(-1, 3, -1, -1).contiguous(memory_format=torch.channels_last))
        pooled = [F.adaptive_avg_pool2d(y, places).flatten(1) for y, places in zip(maps, PLACES, strict=False)]
        return torch.cat(pooled, 1).to(torch.float64)

    def _fit(self, x: Tensor, y: Tensor) -> None:
        """Solve the regression in its dual form, since features outnumber images."""
        self._mean, self._bias = x.mean(0), y.mean(0)
        self._scale = x.std(0) + 1e-3 * x.std()
        a = (x - self._mean) / self._scale
        gram = a @ a.T / a.shape[1] + PENALTY * torch.eye(len(a), dtype=a.dtype, device=a.device)
        self._weights = a.T @ torch.linalg.solve(gram, y - self._bias) / a.shape[1]

    def _scores(self, x: Tensor) -> Tensor:
        return (x - self._mean) / self._scale @ self._weights + self._bias


def classifier_of(dataset: Dataset, *, images: int = 2000, device: torch.device | str = "cpu") -> LabelClassifier:
    """Return a classifier of the labels of a data set: of its named values, or of its classes.

    images: to learn from, at most, evenly spread over the set.
    Raises: ConfigError for a data set without labels.
    """
    if dataset.label_dim == 0:
        raise ConfigError(f"{dataset.path} has no labels; choose a data set with labels, or mark seeds by hand.")
    chosen = range(0, len(dataset), max(len(dataset) // images, 1))
    names = dataset.label_names or dataset.class_names or [str(i) for i in range(dataset.label_dim)]
    return LabelClassifier(dataset.images(chosen), dataset.labels(chosen), names, device)
