"""Linear separability: whether a hyperplane in a latent space divides images by their attributes. StyleGAN Sec. 4.2."""

from __future__ import annotations

import math

import numpy as np
import torch
from torch import Tensor

from stylegan.errors import ConfigError
from stylegan.metrics.attributes import annotate, entropy
from stylegan.metrics.linear import fit_ridge
from stylegan.metrics.protocol import Score
from stylegan.metrics.subject import Subject

LEAST = 8  # images


def conditional_entropy(x: Tensor, y: Tensor) -> float:
    """Return H(Y|X) in bits of two yes-no variables, [N] each."""
    table = np.array([[float(((x == a) & (y == b)).sum()) for b in (False, True)] for a in (False, True)])
    joint = table / table.sum()
    return max(0.0, float(joint.sum(1) @ entropy(joint, 1)) / math.log(2))


def separability(latents: Tensor, logits: Tensor) -> tuple[float, list[float]]:
    """Return 2 to the sum of the conditional entropies of all attributes, and each of these in bits.

    1 if hyperplanes predict all attributes; each attribute that they can only guess doubles it.

    Args:
        latents: [N, D].
        logits: [N, A], of the classifiers. Only the half of the images that they are most certain about takes part.
    """
    bits = []
    for column in logits.T:
        certain = column.abs().argsort(descending=True, stable=True)[: max(1, len(column) // 2)]
        y, x = column[certain] > 0, latents[certain]
        if bool(y.all()) or not bool(y.any()):
            bits.append(0.0)  # nothing is left to predict
            continue
        predicted = fit_ridge(x, y[:, None])(x)[:, 0] > 0
        bits.append(conditional_entropy(predicted, y))
    return 2.0 ** math.fsum(bits), bits


def _check(num: int, width: int, space: str) -> None:
    if width == 0:
        raise ConfigError(f"this network has no latent space {space}; leave this metric out.")
    if num // 2 <= width:
        raise ConfigError(
            f"half of the images, {num // 2}, must be more than the {width} dimensions of {space}, or any labels are "
            "separable; measure more images."
        )


def measure(subject: Subject, *, space: str) -> Score:
    """Measure the linear separability of the space "z", "w" or "s" of a network, with the labels of the data set as
    attributes; the details list the bits of each.

    Raises: ConfigError for so few images that a hyperplane divides them however they are labeled, or a network without
        styles.
    """
    subject.check(least=LEAST)
    width = {"z": subject.generator.z_dim, "w": subject.generator.w_dim}.get(space)
    if width is not None:
        _check(subject.num, width, space)  # before any image is drawn
    annotated = annotate(subject)
    _check(subject.num, annotated.latents[space].shape[1], space)
    with torch.no_grad():
        value, bits = subject.on_main(lambda: separability(annotated.latents[space], annotated.logits))
    details = {"bits": dict(zip(annotated.names, bits, strict=True))}
    return subject.score(f"ls_{space}", value, reals=len(subject.reals), details=details)
