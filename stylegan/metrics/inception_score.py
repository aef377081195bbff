"""The inception score of generated images, by the class probabilities of a feature network. Salimans et al. 2016."""

from __future__ import annotations

from dataclasses import replace

import torch
from torch import Tensor

from stylegan.errors import ShapeError
from stylegan.metrics.features import Classes
from stylegan.metrics.protocol import Score
from stylegan.metrics.subject import Subject

SPLITS = 10


def inception_score(probabilities: Tensor, splits: int = SPLITS) -> tuple[float, float]:
    """Return the mean and the standard deviation of exp E[KL(p(c|x) || p(c))] over consecutive parts.

    Args:
        probabilities: [N, classes], rows of sum one.
    Raises: ShapeError for fewer images than parts.
    """
    if len(probabilities) < splits:
        raise ShapeError(f"an inception score of {splits} parts takes at least {splits} images, got "
                         f"{len(probabilities)}; draw more.")  # fmt: skip
    scores = []
    for p in probabilities.double().tensor_split(splits):
        information = torch.special.xlogy(p, p) - torch.special.xlogy(p, p.mean(0))
        scores.append(information.sum(1).mean().exp())
    values = torch.stack(scores)
    return float(values.mean()), float(values.std(correction=0))


def measure(subject: Subject) -> Score:
    """Measure the inception score of a subject; real images take no part."""
    subject = replace(subject, network=Classes(subject.features))
    subject.check()
    value, deviation = inception_score(subject.fakes())
    return subject.score("is", value, details={"std": deviation, "splits": SPLITS})
