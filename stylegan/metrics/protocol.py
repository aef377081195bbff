"""What all metrics share: names, meaning and form of their scores, the latents that are drawn, and progress."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable
from dataclasses import dataclass

import torch
from torch import Tensor

from stylegan.data.dataset import Dataset
from stylegan.networks.protocol import GeneratorLike, device_of


@dataclass(frozen=True, kw_only=True)
class Meaning:
    """What the scores of a metric say."""

    title: str  # of their curve
    unit: str
    lower_is_better: bool


_EQUIVARIANCE = Meaning(title="Equivariance", unit="dB", lower_is_better=False)
MEANINGS = {  # what the names of the scores begin with -> what they say
    "fid": Meaning(title="Distance from real images", unit="0 = alike", lower_is_better=True),
    "eqt": _EQUIVARIANCE,
    "eqr": _EQUIVARIANCE,
}
Track = Callable[[Iterable, str, int], Iterable]  # (batches, what they are, how many) -> the batches


@dataclass(frozen=True, kw_only=True)
class Score:
    """A number; its subclasses add what must be equal in two that are to be compared."""

    name: str  # such as eqt50k_frac
    value: float


@dataclass(frozen=True, kw_only=True)
class ScoreAgainstReals(Score):
    """One that says how the images of a network differ from those of a data set, in the features of a detector."""

    detector: str
    resize: str  # how images came to the size that the detector takes
    fakes: int
    reals: int
    data: str  # name of the data set, which may differ
    data_fingerprint: str  # of its source and of what was chosen of it
    seed: int


def untracked(batches: Iterable, what: str, total: int) -> Iterable:
    """The `Track` that shows nothing."""
    return batches


def split_name(name: str) -> tuple[str, int] | None:
    """ "fid10k_efflite0" -> the kind "fid_efflite0" and 10000 images; None for what cannot be a name of a score."""
    match = re.fullmatch(r"([a-z]+)([1-9][0-9]{0,6})(k?)((?:_\w+)?)", name)
    return (match[1] + match[4], int(match[2]) * (1000 if match[3] else 1)) if match else None


def join_name(kind: str, num: int) -> str:
    """The inverse of `split_name`; the same for all ways to write a number."""
    metric, underscore, rest = kind.partition("_")
    return f"{metric}{f'{num // 1000}k' if num % 1000 == 0 else num}{underscore}{rest}"


def meaning_of(name: str) -> Meaning:
    """What a score of this name says; of another version's metric, which may lie in a run, as good as nothing."""
    kind, _ = split_name(name) or ("", 0)
    return MEANINGS.get(kind.partition("_")[0], Meaning(title="Score", unit="", lower_is_better=True))


def random_latents(
    G: GeneratorLike, n: int, dataset: Dataset | None, rng: torch.Generator
) -> tuple[Tensor, Tensor | None]:
    """n random z and, with a data set, labels of random images in it: what `G.mapping` takes, on its device."""
    device = device_of(G)
    z = torch.randn(n, G.z_dim, generator=rng).to(device)
    if dataset is None:
        return z, None
    c = dataset.labels(torch.randint(len(dataset), (n,), generator=rng))
    return z, c.to(device) if G.c_dim else None
