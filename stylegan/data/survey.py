"""A survey of images before training: what they are, and what would be wrong with them."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from stylegan.data.labels import label_table
from stylegan.data.sources import open_source
from stylegan.errors import DataError
from stylegan.files.counted import counted

LOOKED_AT = 2000  # headers that are read; a larger set is judged by a part of it, evenly spread
FEW = 200  # images below which a discriminator usually learns them by heart
SHOWN = 5  # problems that are named one by one


@dataclass(frozen=True)
class Survey:
    """Contents of a source of images.

    Attributes:
        images: number of files that look like images.
        looked_at: number of those whose header was read.
        sizes: (width, height) -> number of images, the most frequent first.
        channels: 1 for gray, 3 for color, 4 with transparency: the most of any image; 0 without images.
        labels: number of classes or length of the label vectors, 0 without labels.
        label_names: of the classes or values, empty if there are none.
        problems: sentences on what would go wrong, the most serious first.
        ready: True if training can use the source as it is.
    """

    images: int
    looked_at: int
    sizes: dict[tuple[int, int], int]
    channels: int
    labels: int
    label_names: tuple[str, ...]
    problems: tuple[str, ...]
    ready: bool


def survey(path: Path) -> Survey:
    """Look at the headers and the labels of a source of images; no pixels are read.

    Raises: DataError if `path` is no source of images.
    """
    with open_source(path) as source:
        names = source.names
        places = np.unique(np.linspace(0, len(names) - 1, min(len(names), LOOKED_AT)).astype(int)).tolist()
        sizes: Counter[tuple[int, int]] = Counter()
        unusable: list[str] = []
        channels: Counter[int] = Counter()
        for place in places:
            try:
                header = source.header(names[place])
            except DataError as error:
                unusable.append(f"{names[place]}: {error}.")
                continue
            sizes[header.width, header.height] += 1
            channels[header.channels] += 1
        labels = 0
        label_names: tuple[str, ...] = ()
        wrong_labels: list[str] = []
        try:
            if (listed := source.labels()) is not None and names:
                table = label_table(listed, names, str(path.name))
                labels, label_names = table.label_dim, tuple(table.class_names or table.label_names or ())
        except DataError as error:
            wrong_labels = [str(error)]
        ignored = len(source.ignored)
    mixed = _mixed(sizes, channels)
    few = [f"There are few images, {len(names)}; use augmentation."] if 0 < len(names) < FEW else []
    others = [f"{counted(ignored, 'file')} without an image will be left out."] if ignored else []
    blocking = ["There are no images."] * (not names) + mixed + _first(unusable)
    return Survey(
        images=len(names),
        looked_at=len(places),
        sizes=dict(sizes.most_common()),
        channels=max(channels, default=0),
        labels=labels,
        label_names=label_names,
        problems=(*blocking, *wrong_labels, *few, *others),
        ready=not blocking,
    )


def _mixed(sizes: Counter[tuple[int, int]], channels: Counter[int]) -> list[str]:
    """Return why images cannot be trained on as they are, by their sizes and channels."""
    found = []
    if len(sizes) > 1:
        common = ", ".join(f"{width}x{height} ({n})" for (width, height), n in sizes.most_common(3))
        found.append(f"The images have {len(sizes)} sizes: {common}{', ...' * (len(sizes) > 3)}.")
    elif any(width != height or width & (width - 1) or width < 4 for width, height in sizes):
        width, height = next(iter(sizes))
        found.append(f"The images are {width}x{height} and not square with a power of two as their side.")
    if len(channels) > 1:
        found.append("Some images are gray and some are not, or only some are transparent.")
    return found


def _first(unusable: list[str]) -> list[str]:
    more = len(unusable) - SHOWN
    return [*unusable[:SHOWN], *([f"{counted(more, 'more file')} cannot be used."] if more > 0 else [])]
