"""Find directions by any method."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import torch
from torch import Tensor

from stylegan.data import open_dataset
from stylegan.editing.classifier import classifier_of
from stylegan.editing.components import closed_form, pca_in_features, pca_in_w
from stylegan.editing.directions import Direction
from stylegan.editing.learned import MIN_EXAMPLES, PRESENT, learned_direction
from stylegan.editing.styles import style_channels
from stylegan.editing.supervised import classify_w, linear_direction, read_marked_seeds
from stylegan.errors import ConfigError
from stylegan.networks.generator import FamilyGenerator
from stylegan.networks.protocol import device_of
from stylegan.sampling.generate import seeds_to_ws
from stylegan.sampling.labels import Label

UNSUPERVISED = {"pca": pca_in_w, "features": pca_in_features, "sefa": closed_form, "style": style_channels}
METHODS = (*UNSUPERVISED, "labels", "learned")


def find_directions(
    G: FamilyGenerator,
    w: Tensor,
    method: str,
    *,
    count: int = 10,
    layers: Sequence[int] | None = None,
    csv: Path | str | None = None,
    data: Path | str | None = None,
    label: Label | None = None,
) -> list[Direction]:
    """Find directions in the latent spaces of a network.

    Args:
        w: random w of the network, [N, w_dim].
        method: "pca" of w, "features" for that of feature maps, "sefa", "style" for single style channels, "labels",
            or "learned".
        count: number of directions; of the methods "pca", "features", "sefa" and "style".
        layers: rows of ws that they move; None for all.
        csv: marked seeds, see `read_marked_seeds`: one attribute, named like the file. For "labels" and "style".
        data: a data set with labels, each an attribute, which a classifier learns. For the same methods and "learned",
            which leaves out attributes that fewer than 4 of the images have or have not.
        label: of the marked seeds.
    Raises: ConfigError for an unknown method, or one that does not fit the network or the labels; DataError for a file
        that cannot be read; MissingExtra if a classifier needs weights that are not installed.
    """
    if method not in METHODS:
        raise ConfigError(f"a method of finding directions is one of {', '.join(METHODS)}, got {method!r}.")
    if method == "learned":
        if data is None or csv is not None:
            raise ConfigError("the method learned needs a data set with labels, and takes no marked seeds.")
        return _learned(G, w, data, layers)
    if csv is None and data is None:
        if method == "labels":
            raise ConfigError("the method labels needs marked seeds or a data set with labels; give `csv` or `data`.")
        return UNSUPERVISED[method](G, w, count=count, layers=layers)
    w, attributes = _attributes(G, w, csv, data, label)
    if method == "labels":
        return [
            linear_direction(G, w, values, name=name, layers=layers)
            for name, values in attributes.items()
            if values.min() < values.max()
        ]
    if method != "style":
        raise ConfigError(
            f"the method {method} takes no labels; leave out `csv` and `data`, or choose labels or style."
        )
    return [
        replace(direction, name=f"{name}-{direction.name}")
        for name, values in attributes.items()
        for direction in style_channels(G, w, count=count, layers=layers, values=values)
    ]


def _learned(G: FamilyGenerator, w: Tensor, data: Path | str, layers: Sequence[int] | None) -> list[Direction]:
    """Return a learned direction for each label that enough images have, and have not."""
    classify = classifier_of(open_dataset(data, use_labels=True), device=device_of(G))
    scores = classify_w(G, w, classify)
    counts = (scores > PRESENT).sum(0).tolist()
    drawn = [i for i, count in enumerate(counts) if MIN_EXAMPLES <= count <= len(w) - MIN_EXAMPLES]
    if not drawn:
        raise ConfigError(
            f"no label of {data} is in some images of this network and missing in others; choose a data set like the "
            "one that it was trained on."
        )
    return [learned_direction(G, w, classify, scores, i, layers=layers) for i in drawn]


def _attributes(
    G: FamilyGenerator, w: Tensor, csv: Path | str | None, data: Path | str | None, label: Label | None
) -> tuple[Tensor, dict[str, Tensor]]:
    """Return w [N, w_dim] and the values of their attributes: name -> [N]."""
    if csv is not None:
        seeds, values = read_marked_seeds(csv)
        return seeds_to_ws(G, seeds, label=label)[:, 0], {Path(csv).stem: values}
    assert data is not None
    classify = classifier_of(open_dataset(data, use_labels=True), device=device_of(G))
    scores = classify_w(G, w, classify)
    return w, dict(zip(classify.names, torch.unbind(scores, 1), strict=True))
