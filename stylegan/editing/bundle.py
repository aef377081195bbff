"""Finds and names the directions of a bundled network, and writes them into its folder.

    python -m stylegan.editing.bundle avatars64

It takes less than a minute, and belongs behind every training of such a network. The names are those of attributes that
are measured in images, so they hold for any network that draws the same things: colors and sizes. Each direction is
orthogonal to those of the other attributes, and moves the layers from that one on with which it changes little else.
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
        found.append(
            max((_trial(G, measure, own, first, i, names, unit) for first in range(0, G.num_ws, 2)), key=_margin)
        )
    found.sort(key=lambda trial: -trial.change)
    chosen = [trial.direction for trial in found[:COUNT]]
    save_directions(chosen, bundled()[name] / FILE)
    return chosen


class Trial(NamedTuple):
    """A direction that moves some of the layers, and what it changes from -STRENGTH to STRENGTH, in deviations."""

    direction: Direction
    change: float  # of its attribute
    side_effect: float  # the largest of the others, the mean of absolute changes


def _margin(trial: Trial) -> float:
    return trial.change - trial.side_effect


def _trial(
    G: FamilyGenerator, measure: Classifier, direction: Direction, first: int, i: int, names: list[str], unit: Tensor
) -> Trial:
    """Return the trial of a direction of attribute i that moves the layers from `first` on."""
    if first:
        direction = replace(direction, layers=tuple(range(first, G.num_ws)))
    low, high = (_scores_at(G, measure, direction, strength) for strength in (-STRENGTH, STRENGTH))
    changes = (high - low) / unit
    change, others = float(changes[:, i].mean()), changes.abs().mean(0).index_fill(0, torch.tensor(i), 0)
    worst = int(others.argmax())
    effect = f"{change:+.1f} deviations, and {others[worst]:.1f} of {names[worst]} to either side"
    where = f", layers from {first}" if first else ""
    note = f"{direction.note}{where}; from -{STRENGTH:g} to {STRENGTH:g}: {effect}"
    return Trial(replace(direction, note=note), change, float(others[worst]))


def faces() -> Attributes:
    """Return the attributes of drawn faces, which are measured; deviations are those of the samples."""
    data = open_dataset(avatars())
    deviations = measure_faces(data.images(range(len(data)))).std(0)
    return Attributes(
        ["light_skin", "blue_background", "dark_hair", "big_hair", "long_hair"], measure_faces, deviations
    )


def measure_faces(images: Tensor) -> Tensor:
    """Return colors and sizes of faces that are placed like those of the samples, [N, 5] float64.

    They are the brightness of the cheek, the blueness of the upper corner, the darkness of the top of the head, and how
    much of the upper border and of the left of the neck is not background. What is measured says how far to move, which
    a label does not: hair is not just dark or light.

    images: uint8 [N, 3, R, R].
    """
    x, r = images.to(torch.float64) / 255, images.shape[-1]
    corner = x[:, :, : r // 8, : r // 8].mean((2, 3))
    cheek = x[:, :, r // 2 : 5 * r // 8, 3 * r // 8 : r // 2].mean((1, 2, 3))
    head = x[:, :, r // 8 : r // 4, 7 * r // 16 : 9 * r // 16].mean((1, 2, 3))
    drawn = ((x - corner[:, :, None, None]).abs().mean(1) > 0.12).to(torch.float64)
    border = torch.cat([drawn[:, : r // 2, : r // 4].flatten(1), drawn[:, : r // 8].flatten(1)], 1).mean(1)
    neck = drawn[:, r // 2 : 7 * r // 8, r // 16 : r // 4].mean((1, 2))
    return torch.stack([cheek, corner[:, 2] - corner[:, 0], 1 - head, border, neck], 1)


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
    """Return the scores of images moved along a direction in W, [CHECKED, A]."""
    assert isinstance(direction.vector, Tensor)
    ws = torch.cat(_truncated(G, CHECKED, seed=1))[:, None].repeat(1, G.num_ws, 1)
    ws[:, list(direction.layers or range(G.num_ws))] += strength * direction.deviation * direction.vector
    return classify_w(G, ws, measure)


def _truncated(G: FamilyGenerator, count: int, seed: int) -> list[Tensor]:
    """Return random w of each class, truncated towards its mean, `count` in all."""
    labels: list[int | None] = list(range(G.c_dim)) or [None]
    w = [random_ws(G, label, max(count // len(labels), 1), seed)[:, 0] for label in labels]
    return [part.mean(0).lerp(part, PSI) for part in w]


if __name__ == "__main__":
    for found in bundle(sys.argv[1] if len(sys.argv) == 2 else ""):
        print(f"{found.name}: {found.note}")
