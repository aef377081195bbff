"""Attributes of generated images: the labels of a data set, predicted from features by a linear classifier.

The papers use forty classifiers that were trained on the attributes of CelebA. Here the labels of the data set itself
are the attributes: each class against the others, or each value of a label vector above its middle.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from stylegan.data.dataset import Dataset
from stylegan.errors import DataError
from stylegan.metrics.batches import Drawn, drawn_batches
from stylegan.metrics.features import features_of
from stylegan.metrics.linear import fit_ridge
from stylegan.metrics.subject import Subject

LEAST = 4  # images with an attribute and without it that its classifier needs


@dataclass(frozen=True)
class Annotated:
    """Generated images as latents, and the attributes that the classifiers see in them."""

    latents: dict[str, Tensor]  # "z" and "w" [N, D], and "s" [N, all styles]
    logits: Tensor  # [N, A] float64; an image has an attribute where it is positive
    names: list[str]  # of the attributes


def binary_labels(dataset: Dataset) -> tuple[Tensor, list[str]]:
    """Return the attributes of all images, [n, A] of 0 and 1, and their names.

    Rare and constant ones are left out, and so is one that says the same as another or its opposite, such as the second
    of two classes.

    Raises: DataError for a data set without labels, or with none that enough images have and enough lack.
    """
    if dataset.label_table is None:
        raise DataError(f"{dataset.name} was opened without labels, which this metric needs as attributes.")
    values = dataset.labels(range(len(dataset)))
    middle = (values.amin(0) + values.amax(0)) / 2
    y = (values > middle).float()
    names = dataset.class_names or dataset.label_names or []
    known = (y.sum(0) >= LEAST) & ((1 - y).sum(0) >= LEAST)
    if not bool(known.any()):
        raise DataError(f"{dataset.name} has no attribute with {LEAST} images that have it and {LEAST} that lack it.")
    kept: list[int] = []
    for i in known.nonzero().flatten().tolist():
        if not any(torch.equal(y[:, i], same) for j in kept for same in (y[:, j], 1 - y[:, j])):
            kept.append(i)
    return y[:, kept], [names[i] if i < len(names) else str(i) for i in kept]


def annotate(subject: Subject) -> Annotated:
    """Draw `num` images, and predict their attributes from their features; computed once for all metrics.

    The classifiers are logistic regressions on the features of the real images.
    """
    key = ("annotated", subject.num, subject.features.name)
    if key not in subject.kept:
        y, names = binary_labels(subject.reals)
        classifier = fit_ridge(subject.real_features(), y)
        latents, features = _draw(subject)
        subject.kept[key] = Annotated(latents, classifier(features), names)
    return subject.kept[key]


def _draw(subject: Subject) -> tuple[dict[str, Tensor], Tensor]:
    """Return the latents of generated images, and their features."""
    G, detector = subject.generator, subject.features

    def columns(drawn: Drawn) -> Tensor:
        parts = (drawn.z, drawn.ws[:, -1], features_of(drawn.images, detector), drawn.s)
        return torch.cat([x.float().cpu() for x in parts], 1)

    batches = drawn_batches(G, subject.dataset, subject.num, subject.seed, subject.world, styles=True)
    with subject.forked_random_numbers():
        matrix = subject.rows("annotated", batches, subject.num, columns, "Drawing")
    known = (G.z_dim, G.w_dim, detector.feature_dim)
    z, w, features, s = matrix.split([*known, matrix.shape[1] - sum(known)], 1)
    return {"z": z, "w": w, "s": s}, features


def entropy(p: np.ndarray, axis: int) -> np.ndarray:
    """Return the entropy in nats of distributions along an axis; zero where a distribution is zero everywhere."""
    total = p.sum(axis, keepdims=True)
    p = np.divide(p, total, out=np.zeros_like(p), where=total > 0)
    return -(p * np.log(p, out=np.zeros_like(p), where=p > 0)).sum(axis)
