"""Finds and names the directions of a bundled network, and writes them into its folder.

    python -m stylegan.editing.bundle avatars64

It takes less than a minute, and belongs behind every training of such a network. The names are those of attributes that
are measured in images, so they hold for any network that draws the same things: labels of the sample data set for
faces, sizes and shades for clothes. Each direction is orthogonal to those of the other attributes.
"""

from __future__ import annotations

import sys
from collections.abc import Callable
from dataclasses import replace
from typing import NamedTuple

import torch
from torch import Tensor

from stylegan.checkpoints import load
from stylegan.data import open_dataset
from stylegan.data.samples import avatars
from stylegan.editing.classifier import classifier_of
from stylegan.editing.direction_file import FILE, save_directions
from stylegan.editing.directions import Direction, orthogonal
from stylegan.editing.supervised import Classifier, classify_w, linear_direction
from stylegan.errors import ConfigError
from stylegan.inversion.w_statistics import random_ws
from stylegan.models import bundled
from stylegan.networks.generator import FamilyGenerator

COUNT = 3  # directions for each network: those that change their attribute most
SAMPLES = 3000  # w from which they are found
CHECKED = 60  # other w on which the change is measured
STRENGTH = 2.5  # standard deviations to either side between which it is measured
PSI = 0.7  # truncation of the images that are measured, since attributes of failed images mean nothing


class Attributes(NamedTuple):
    """Attributes that can be measured in images."""

    names: list[str]
    measure: Classifier
    deviations: Tensor | None  # of each in real images, [A]; None takes those in the images of the network


def bundle(name: str) -> list[Direction]:
    """Find the directions of a bundled network, write them beside its weights, and return them.

    Raises: ConfigError for a network whose images have no attributes that are known here.
    """
    if name not in ATTRIBUTES or name not in bundled():
        raise ConfigError(f"directions are named for the networks {', '.join(ATTRIBUTES)}, got {name!r}.")
    G: FamilyGenerator = load(name, device="cpu")
    names, measure, deviations = ATTRIBUTES[name]()
    w, scores = _measured(G, measure, SAMPLES, seed=0)
    unit = scores.std(0) if deviations is None else deviations
    entangled = [linear_direction(G, w, scores[:, i], name=names[i]) for i in range(len(names))]
    found = []
    for i, direction in enumerate(entangled):
        own = orthogonal(direction, entangled[:i] + entangled[i + 1 :], w)
        own = replace(own, deviation=own.deviation / PSI)  # that of w without truncation
        change = (_scores_at(G, measure, own, STRENGTH) - _scores_at(G, measure, own, -STRENGTH)) / unit
        others = torch.cat([change[:i], change[i + 1 :]])
        worst = int(others.abs().argmax())
        side_effect = f"{others[worst]:+.1f} of {(names[:i] + names[i + 1 :])[worst]}"
        note = f"{own.note}; from -{STRENGTH:g} to {STRENGTH:g}: {change[i]:+.1f} deviations, and {side_effect}"
        found.append((float(change[i]), replace(own, note=note)))
    found.sort(key=lambda pair: -pair[0])
    chosen = [direction for _, direction in found[:COUNT]]
    save_directions(chosen, bundled()[name] / FILE)
    return chosen


def faces() -> Attributes:
    """Return the attributes of drawn faces: colors that are measured, and what a classifier learns from the samples."""
    data = open_dataset(avatars(), use_labels=True)
    classify = classifier_of(data)

    def measure(images: Tensor) -> Tensor:
        return torch.cat([measure_faces(images), classify(images).to(torch.float64)], 1)

    indices = range(len(data))
    deviations = torch.cat([measure_faces(data.images(indices)), data.labels(indices).to(torch.float64)], 1).std(0)
    return Attributes(["light_skin", "blue_background", *classify.names], measure, deviations)


def measure_faces(images: Tensor) -> Tensor:
    """Return the brightness of the cheek and the blueness of the upper corner in faces of the samples, [N, 2] float64.

    images: uint8 [N, 3, R, R], in which all faces are at the same place.
    """
    x, r = images.to(torch.float64) / 255, images.shape[-1]
    cheek, corner = x[:, :, r // 2 : 5 * r // 8, 3 * r // 8 : r // 2], x[:, :, : r // 8, : r // 8]
    return torch.stack([cheek.mean((1, 2, 3)), corner[:, 2].mean((1, 2)) - corner[:, 0].mean((1, 2))], 1)


def clothes() -> Attributes:
    """Return the attributes of gray images of clothes on black, which are measured."""
    return Attributes(["bright", "wide", "long", "patterned"], measure_clothes, None)


ATTRIBUTES: dict[str, Callable[[], Attributes]] = {"avatars64": faces, "fashion32": clothes}


def measure_clothes(images: Tensor) -> Tensor:
    """Return brightness, width, length and unevenness of what is not black in gray images, [N, 4] float64.

    images: uint8 [N, 1, R, R].
    """
    x = images[:, 0].to(torch.float64) / 255
    inside = (x > 0.1).to(torch.float64)  # darker pixels belong to the background
    area = inside.sum((1, 2)).clamp(min=1)
    mean = (x * inside).sum((1, 2)) / area
    places = torch.linspace(-1, 1, x.shape[-1], dtype=torch.float64)

    def spread(along: Tensor) -> Tensor:  # [N, R], number of pixels in each column or row
        center = (along * places).sum(1, keepdim=True) / area[:, None]
        return ((along * (places - center).square()).sum(1) / area).sqrt()

    uneven = ((x - mean[:, None, None]).square() * inside).sum((1, 2)) / area
    return torch.stack([mean, spread(inside.sum(1)), spread(inside.sum(2)), uneven.sqrt()], 1)


def _measured(G: FamilyGenerator, measure: Classifier, count: int, seed: int) -> tuple[Tensor, Tensor]:
    """Return random truncated w [N, w_dim], and the scores of their images [N, A]; with classes, `count` in all.

    The means of each class are taken out of both, since a shirt is not a longer shoe; the mean of all w is kept.
    """
    classes = _truncated(G, count, seed)
    scores = [classify_w(G, w, measure) for w in classes]
    center = torch.cat(classes).mean(0)
    return torch.cat([w - w.mean(0) + center for w in classes]), torch.cat([s - s.mean(0) for s in scores])


def _scores_at(G: FamilyGenerator, measure: Classifier, direction: Direction, strength: float) -> Tensor:
    """Return the mean scores of images moved along a direction in W, [A]."""
    assert isinstance(direction.vector, Tensor)
    w = torch.cat(_truncated(G, CHECKED, seed=1)) + strength * direction.deviation * direction.vector
    return classify_w(G, w, measure).mean(0)


def _truncated(G: FamilyGenerator, count: int, seed: int) -> list[Tensor]:
    """Return random w of each class, truncated towards its mean, `count` in all."""
    labels: list[int | None] = list(range(G.c_dim)) or [None]
    w = [random_ws(G, label, max(count // len(labels), 1), seed)[:, 0] for label in labels]
    return [part.mean(0).lerp(part, PSI) for part in w]


if __name__ == "__main__":
    for found in bundle(sys.argv[1] if len(sys.argv) == 2 else ""):
        print(f"{found.name}: {found.note}")
