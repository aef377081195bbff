"""Equivariance: whether the image moves as the input of the network moves. EQ-T and EQ-R of StyleGAN3 App. E.

Three metrics in dB, higher is better: `eqt_int` for shifts by whole pixels, `eqt_frac` for any shift, `eqr` for
rotations.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from typing import NamedTuple

import torch
from torch import Tensor

from stylegan.data.dataset import Dataset
from stylegan.errors import ConfigError
from stylegan.machine.processes import World
from stylegan.metrics.batches import shared
from stylegan.metrics.moved_images import filter_as_rotated, rotate, shift, shift_between_pixels
from stylegan.metrics.protocol import Score, Track, join_name, random_latents, untracked
from stylegan.metrics.subject import Subject
from stylegan.networks.protocol import GeneratorLike
from stylegan.sampling.generate import batched
from stylegan.sampling.transform import inverse_transform, transform_of

BATCH = 4  # images that share a transform
MAX_SHIFT = 0.125  # of the image

Draw = Callable[[Tensor], Tensor]  # an inverse transform [3, 3] -> the images [N, C, H, H] that it moves
Pair = tuple[Tensor, Tensor, Tensor]  # the original moved, the image of the moved input, and a mask of what counts


def shift_by_whole_pixels(draw: Draw, x: float, y: float) -> Pair:
    """Compare as EQ-T does. x, y: to the right and down, in image widths, rounded to pixels."""
    original = draw(inverse_transform())
    size = original.shape[-1]
    columns, rows = round(x * size), round(y * size)
    moved, mask = shift(original, columns, rows)
    return moved, draw(inverse_transform(columns / size, rows / size)), mask


def shift_by_any_distance(draw: Draw, x: float, y: float) -> Pair:
    """Compare as EQ-T_frac does. x, y: to the right and down, in image widths."""
    original = draw(inverse_transform())
    size = original.shape[-1]
    moved, mask = shift_between_pixels(original, x * size, y * size)
    return moved, draw(inverse_transform(x, y)), mask


def rotate_by_any_angle(draw: Draw, degrees: float) -> Pair:
    """Compare as EQ-R does. The image of the rotated input is filtered too: frequencies that only one of the two can
    hold do not count."""
    original = draw(inverse_transform())
    back = inverse_transform(degrees=degrees)
    A_inv = back[:2, :2]
    rotated, mask = rotate(original, A_inv.mT)
    drawn, drawn_mask = filter_as_rotated(draw(back), A_inv)
    return rotated, drawn, mask * drawn_mask


class Kind(NamedTuple):
    """A family of random moves."""

    move: Callable[..., Pair]
    numbers: int  # arguments of `move` after the first
    limit: float  # of each argument, which is drawn uniformly from -limit ... limit


KINDS = {
    "eqt_int": Kind(shift_by_whole_pixels, 2, MAX_SHIFT),
    "eqt_frac": Kind(shift_by_any_distance, 2, MAX_SHIFT),
    "eqr": Kind(rotate_by_any_angle, 1, 180),
}


def equivariance(
    G: GeneratorLike,
    kind: str,
    *,
    num: int = 50_000,
    seed: int = 0,
    dataset: Dataset | None = None,
    track: Track = untracked,
    world: World | None = None,
) -> Score:
    """Measure the peak signal-to-noise ratio, in dB, of `num` images whose network input was moved, against the same
    images moved afterwards. Without truncation; 4 at a time share one random move.

    Args:
        G: computing in float32.
        kind: one of `KINDS`.
        dataset: where a network with labels gets them from.
        track: sees the stream of batches, to show progress.
        world: the processes that share the work, each with the same arguments; all get the score.
    Raises: ConfigError for a network that cannot be moved, one with labels and no data set, or a `num` below 1.
    """
    subject = Subject(G=G, num=num, seed=seed, dataset=dataset, track=track, world=world or World())
    return measure(subject, kind=kind)


def measure(subject: Subject, *, kind: str) -> Score:
    """Measure the equivariance of a network, see `equivariance`."""
    G, num, dataset = subject.generator, subject.num, subject.dataset
    if num < 1:
        raise ConfigError(f"the number of images to draw must be at least 1, got {num}.")
    transform = transform_of(G)
    if G.c_dim and (dataset is None or dataset.label_dim != G.c_dim):
        raise ConfigError(f"this network takes {G.c_dim} label values; measure with the data that it was trained on.")
    labels = dataset if G.c_dim else None
    move = KINDS[kind].move

    def errors(drawn: tuple[Tensor, Tensor | None, list[float]]) -> Tensor:
        """Return the squared error of a batch, and the number of values that it is summed over, [1, 2]."""
        z, c, numbers = drawn
        ws = G.mapping(z, c)

        def draw(inverse: Tensor) -> Tensor:
            transform.copy_(inverse)
            return G.synthesis(ws, noise_mode="const")

        moved, drawn_moved, mask = (x.cpu().double() for x in move(draw, *numbers))  # MPS has no float64
        mask = mask.expand_as(moved)
        return torch.stack([((moved - drawn_moved).square() * mask).sum(), mask.sum()])[None]

    def draws(mine: range) -> Iterator[tuple[Tensor, Tensor | None, list[float]]]:
        return _draws(G, KINDS[kind], num, subject.seed, labels, mine)

    before = transform.clone()
    try:
        with torch.no_grad():
            batches = shared(num, BATCH, subject.world, draws)
            sums = subject.rows(
                kind, batches._replace(first=batches.first // BATCH), -(-num // BATCH), errors, "Moving"
            )
    finally:
        with torch.no_grad():
            transform.copy_(before)
    error, weight = sums.sum(0).tolist()
    if not weight:
        raise ConfigError(
            f"{join_name(kind, num)} compares what stays in the image, and in images of {G.img_resolution} pixels "
            "nothing does; measure a network of at least 16 pixels."
        )
    return subject.score(kind, decibels(error / weight))


def _draws(
    G: GeneratorLike, kind: Kind, num: int, seed: int, dataset: Dataset | None, mine: range
) -> Iterator[tuple[Tensor, Tensor | None, list[float]]]:
    """The latents, the labels and the numbers of the move of each batch in `mine`."""
    rng = torch.Generator().manual_seed(seed)
    for i, part in enumerate(batched(range(num), BATCH)):
        z, c = random_latents(G, len(part), dataset, rng)
        numbers = (2 * torch.rand(kind.numbers, generator=rng, dtype=torch.float64) - 1) * kind.limit
        if i in mine:
            yield z, c, numbers.tolist()


def decibels(mean_square: float) -> float:
    """Convert a mean squared error to the peak signal-to-noise ratio of images in [-1, 1], a range of 2."""
    return 20 * math.log10(2) - 10 * math.log10(mean_square) if mean_square else math.inf
