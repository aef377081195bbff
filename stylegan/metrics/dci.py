"""Disentanglement, completeness and informativeness of a latent space. Eastwood and Williams 2018.

The importance of each dimension for each attribute is the absolute weight in a logistic regression with a penalty on
absolute weights. A dimension is disentangled if it matters to one attribute alone; an attribute is complete if one
dimension alone determines it; and a space is informative if attributes can be predicted from it.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from torch import Tensor

from stylegan.errors import ConfigError
from stylegan.metrics.attributes import annotate, entropy
from stylegan.metrics.linear import fit_lasso
from stylegan.metrics.protocol import Score
from stylegan.metrics.subject import Subject

HELD_OUT = 5  # one of as many samples tests the predictions
LEAST = 20  # samples


class DCI(NamedTuple):
    """The three numbers, each from 0 to 1, higher is better."""

    disentanglement: float
    completeness: float
    informativeness: float


def dci(latents: Tensor, attributes: Tensor) -> DCI:
    """Compute the three numbers of latents [N, D] and attributes [N, A] of 0 and 1, A and D at least 2.

    Disentanglement and completeness are means weighted by importance; informativeness is the accuracy of predictions
    for held-out samples, every fifth one, averaged over the attributes.
    """
    test = np.arange(len(latents)) % HELD_OUT == HELD_OUT - 1
    model = fit_lasso(latents[~test], attributes[~test])
    right = (model(latents[test]) > 0) == (attributes[test] > 0.5)
    importance = model.weight.abs().numpy()
    return DCI(disentanglement(importance), disentanglement(importance.T), float(right.double().mean()))


def disentanglement(importance: np.ndarray) -> float:
    """Return the mean over rows of one minus the normalized entropy of their entries, weighted by their sums.

    Of an importance [D, A] this is the disentanglement, and of its transpose the completeness.
    """
    total = importance.sum()
    if total == 0:
        return 0.0
    disorder = entropy(importance, 1) / np.log(importance.shape[1])  # from 0 to 1
    return max(0.0, float((1 - disorder) @ importance.sum(1) / total))


def measure(subject: Subject, *, space: str) -> Score:
    """Measure the disentanglement of the space "z", "w" or "s" of a network, with the labels of the data set as
    attributes; completeness and informativeness are in the details.

    Raises: ConfigError for a network without styles, or data with fewer than two attributes.
    """
    subject.check(least=LEAST)
    annotated = annotate(subject)
    latents = annotated.latents[space]
    if latents.shape[1] < 2:
        raise ConfigError(f"this network has no latent space {space}; leave this metric out.")
    if len(annotated.names) < 2:
        raise ConfigError("this metric needs at least two attributes, and the labels of the data have one.")
    result = subject.on_main(lambda: dci(latents, (annotated.logits > 0).float()))
    details = {"completeness": result.completeness, "informativeness": result.informativeness}
    return subject.score(f"dci_{space}", result.disentanglement, reals=len(subject.reals), details=details)
