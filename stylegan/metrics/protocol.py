"""Shared by all metrics: the form of a score and of its name, the latents that are drawn, and progress."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable
from dataclasses import asdict, dataclass
from typing import Any

import torch
from torch import Tensor

from stylegan.data.dataset import Dataset
from stylegan.errors import ConfigError
from stylegan.networks.protocol import GeneratorLike, device_of

SAME_FEATURES = "features of the discriminator"  # shown with a score that is `same_as_discriminator`
Track = Callable[[Iterable, str, int], Iterable]  # (batches, what they are, how many) -> the batches


@dataclass(frozen=True, kw_only=True)
class Score:
    """One number, and what it was measured with. A metric leaves out the fields that do not concern it."""

    name: str  # such as fid10k_efflite0
    value: float
    detector: str | None = None  # the feature network, or the network of a perceptual distance
    detector_sha256: str | None = None  # of the file of its weights
    resize: str | None = None  # how images came to the size that it takes
    quantization: str | None = None  # of generated pixels before it
    fakes: int  # generated images
    reals: int | None = None
    images: str | None = None  # name of the folder of generated images, if no network drew them
    images_fingerprint: str | None = None  # of its source and of the images chosen from it
    network_sha256: str | None = None  # of the weights of the generator
    data: str | None = None  # name of the data set
    data_fingerprint: str | None = None  # of its source and of the images chosen from it
    seed: int
    versions: dict[str, str] | None = None  # of the packages that computed it
    details: dict[str, Any] | None = None  # further numbers of the metric, such as the value of each class
    same_as_discriminator: bool = False  # D saw images through the same feature network, so the score flatters G

    def protocol(self) -> dict[str, Any]:
        """List what the number was measured with, by name, without the fields that the metric leaves out."""
        return {k: v for k, v in asdict(self).items() if k not in ("name", "value") and v is not None}


# Scores can be compared where these are equal; the name of the data set may differ.
COMPARABLE = ("detector", "resize", "fakes", "reals", "data_fingerprint", "seed")


def untracked(batches: Iterable, what: str, total: int) -> Iterable:
    """The `Track` that shows nothing."""
    return batches


def split_name(name: str) -> tuple[str, int] | None:
    """ "fid10k_efflite0" -> the kind "fid_efflite0" and 10000 images; None for what cannot be the name of a score."""
    match = re.fullmatch(r"([a-z]+)([1-9][0-9]{0,6})(k?)((?:_\w+)?)", name)
    return (match[1] + match[4], int(match[2]) * (1000 if match[3] else 1)) if match else None


def join_name(kind: str, num: int) -> str:
    """The inverse of `split_name`; equal for all ways to write a number."""
    metric, underscore, rest = kind.partition("_")
    return f"{metric}{f'{num // 1000}k' if num % 1000 == 0 else num}{underscore}{rest}"


def check_fits(G: GeneratorLike, dataset: Dataset) -> None:
    """Raises ConfigError unless the network draws images like those of the data set, with its labels if it has some."""
    drawn = (G.img_resolution, G.img_channels, G.c_dim)
    real = (dataset.resolution, dataset.channels, dataset.label_dim if G.c_dim else 0)
    if drawn != real:
        raise ConfigError(
            f"the network draws {drawn[0]}x{drawn[0]} images of {drawn[1]} channels with {drawn[2]} label values, but "
            f"{dataset.name} has {real[0]}x{real[0]} of {real[1]} channels with {real[2]}; measure with the data that "
            "it was trained on."
        )


def check_alike(images: Dataset, dataset: Dataset) -> None:
    """Raises ConfigError unless two data sets have images of one size and number of channels."""
    first, second = ((x.resolution, x.channels) for x in (images, dataset))
    if first != second:
        raise ConfigError(
            f"{images.name} has {first[0]}x{first[0]} images of {first[1]} channels, but {dataset.name} has "
            f"{second[0]}x{second[0]} of {second[1]}; make both with `prepare`, at one resolution and color."
        )


def random_latents(
    G: GeneratorLike, n: int, dataset: Dataset | None, rng: torch.Generator
) -> tuple[Tensor, Tensor | None]:
    """Draw n random z and, with a data set, the labels of random images in it: the input of `G.mapping`, on its
    device."""
    device = device_of(G)
    z = torch.randn(n, G.z_dim, generator=rng).to(device)
    if dataset is None:
        return z, None
    c = dataset.labels(torch.randint(len(dataset), (n,), generator=rng))
    return z, c.to(device) if G.c_dim else None
