"""How truly the image moves when the input of a network moves: EQ-T and EQ-R of StyleGAN3 App. E.

Three numbers in dB: `eqt_int` for shifts by whole pixels, `eqt_frac` for any shift, `eqr` for rotations.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass

import torch
from torch import Tensor

from stylegan.data.dataset import Dataset
from stylegan.errors import ConfigError
from stylegan.metrics.moved_images import as_if_turned, shift, shift_between_pixels, turn
from stylegan.metrics.protocol import Score, Track, join_name, random_latents, split_name, untracked
from stylegan.networks.protocol import GeneratorLike
from stylegan.sampling.generate import batched
from stylegan.sampling.transform import inverse_transform, transform_of

BATCH = 4  # images that share a transform
MAX_SHIFT = 0.125  # of the image

Draw = Callable[[Tensor], Tensor]  # an inverse transform [3, 3] -> the images [N, C, H, H] that it moves
Pair = tuple[Tensor, Tensor, Tensor]  # the original moved, what was drawn instead, and the mask of what counts


@dataclass(frozen=True, kw_only=True)
class Equivariance(Score):
    """In dB."""

    fakes: int
    seed: int


def eqt_int(draw: Draw, rng: torch.Generator) -> Pair:
    """A random shift by whole pixels."""
    original = draw(inverse_transform())
    size = original.shape[-1]
    x, y = (round(t * size) for t in _uniform(rng, 2, MAX_SHIFT))
    moved, mask = shift(original, x, y)
    return moved, draw(inverse_transform(x / size, y / size)), mask


def eqt_frac(draw: Draw, rng: torch.Generator) -> Pair:
    """A random shift."""
    original = draw(inverse_transform())
    size = original.shape[-1]
    x, y = _uniform(rng, 2, MAX_SHIFT)
    moved, mask = shift_between_pixels(original, x * size, y * size)
    return moved, draw(inverse_transform(x, y)), mask


def eqr(draw: Draw, rng: torch.Generator) -> Pair:
    """A random rotation. What was drawn is filtered too: frequencies that only one of the two can hold do not count."""
    original = draw(inverse_transform())
    (degrees,) = _uniform(rng, 1, 180)
    back = inverse_transform(degrees=degrees)
    A_inv = back[:2, :2]
    turned, mask = turn(original, A_inv.mT)
    drawn, drawn_mask = as_if_turned(draw(back), A_inv)
    return turned, drawn, mask * drawn_mask


KINDS = {"eqt_int": eqt_int, "eqt_frac": eqt_frac, "eqr": eqr}


def equivariance(
    G: GeneratorLike,
    kind: str,
    *,
    num: int = 50_000,
    seed: int = 0,
    dataset: Dataset | None = None,
    track: Track = untracked,
) -> Equivariance:
    """The peak signal-to-noise ratio of `num` images that were moved in the input of `G` against the same images
    moved afterwards, without truncation; 4 at a time share one random transform.

    Args:
        G: computing in float32.
        kind: one of `KINDS`.
        dataset: where a network with labels gets them from.
        track: sees the stream of batches, to show progress.
    Raises: ConfigError for a network that cannot be moved, one with labels and no data set, or a `num` below 1.
    """
    if num < 1:
        raise ConfigError(f"the number of images to draw must be at least 1, got {num}.")
    transform = transform_of(G)
    if G.c_dim and (dataset is None or dataset.label_dim != G.c_dim):
        raise ConfigError(f"this network takes {G.c_dim} label values; measure with the data that it was trained on.")
    rng = torch.Generator().manual_seed(seed)
    error = weight = 0.0
    before = transform.clone()
    try:
        for part in track(batched(range(num), BATCH), "Moving", -(-num // BATCH)):
            z, c = random_latents(G, len(part), dataset if G.c_dim else None, rng)
            with torch.no_grad():
                ws = G.mapping(z, c)

                def draw(inverse: Tensor, ws: Tensor = ws) -> Tensor:
                    transform.copy_(inverse)
                    return G.synthesis(ws, noise_mode="const")

                moved, drawn, mask = KINDS[kind](draw, rng)
            mask = mask.double().expand_as(moved)
            error += float(((moved.double() - drawn.double()).square() * mask).sum())
            weight += float(mask.sum())
    finally:
        with torch.no_grad():
            transform.copy_(before)
    return Equivariance(name=join_name(kind, num), value=decibels(error / weight), fakes=num, seed=seed)


def decibels(mean_square: float) -> float:
    """The peak signal-to-noise ratio of images in [-1, 1], a range of 2."""
    return 20 * math.log10(2) - 10 * math.log10(mean_square) if mean_square else math.inf


def parse_name(name: str) -> tuple[int, str]:
    """ "eqt50k_frac" -> 50000 images of the kind "eqt_frac". Raises: ConfigError for any other name."""
    kind, num = split_name(name) or ("", 0)
    if kind not in KINDS:
        raise ConfigError(f"a metric of equivariance is eqtNk_int, eqtNk_frac or eqrNk, got {name!r}.")
    return num, kind


def _uniform(rng: torch.Generator, n: int, limit: float) -> list[float]:
    """n numbers from -limit to limit."""
    numbers: list[float] = ((2 * torch.rand(n, generator=rng, dtype=torch.float64) - 1) * limit).tolist()
    return numbers
