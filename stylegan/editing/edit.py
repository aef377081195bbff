"""Edit latents: move them along directions, calculate with them, and mix their styles."""

from __future__ import annotations

import math
import re
from collections.abc import Iterator, Sequence
from dataclasses import replace

import torch
from torch import Tensor

from stylegan.editing.directions import Direction
from stylegan.errors import ConfigError
from stylegan.networks.protocol import GeneratorLike
from stylegan.sampling.generate import draw
from stylegan.sampling.latent import Latent
from stylegan.sampling.mixing import mix_ws

Strengths = Sequence[tuple[Direction, float]]


def edit(latent: Latent, strengths: Strengths, layers: Sequence[int] | None = None) -> Latent:
    """Return a latent moved along several directions, each by its strength in standard deviations.

    layers: rows of ws to move; None for those of each direction.
    Raises: ConfigError as `Direction.moved` does.
    """
    for direction, strength in strengths:
        latent = direction.moved(latent, strength, layers)
    return latent


def set_position(latent: Latent, direction: Direction, position: float) -> Latent:
    """Return a latent moved to a place along a direction in W: where a slider is set, rather than how far it moves.

    position: in standard deviations from the mean w.
    Raises: ConfigError for a direction in style space.
    """
    here = direction.position(latent)
    return direction.moved(latent, (position - here) / (direction.position(direction.moved(latent, 1)) - here))


def combined(terms: Sequence[tuple[float, Latent]]) -> Latent:
    """Return the sum of latents with weights, such as a - b + c; the noise is that of the first.

    Raises: ConfigError unless the latents are of one space and the weights sum to 1: other sums leave the region
        in which the network draws images.
    """
    spaces = {latent.space for _, latent in terms} - {None}
    total = sum(weight for weight, _ in terms)
    if not terms or len(spaces) > 1:
        raise ConfigError(f"arithmetic takes latents of one network, got {len(terms)} of {len(spaces)} spaces.")
    if abs(total - 1) > 1e-6:
        raise ConfigError(f"the weights of latents sum to 1, as in a - b + c or 0.5*a + 0.5*b, got a sum of {total:g}.")
    first = terms[0][1]
    offsets: dict[str, Tensor] = {}
    for weight, latent in terms:
        offsets |= {name: offsets.get(name, 0) + weight * value for name, value in latent.offsets.items()}
    ws = torch.stack([weight * latent.ws.to(first.ws) for weight, latent in terms]).sum(0)
    return replace(first, ws=ws, offsets=offsets, space=next(iter(spaces), None))


def parse_arithmetic(text: str) -> list[tuple[float, str]]:
    """Parse "a - b + 0.5*c", with spaces around the signs, to weights and names.

    Raises: ConfigError for any other text.
    """
    first, *rest = re.split(r"\s+([+-])\s+", f"{text.strip()} ")
    terms = []
    for sign, term in zip(["+", *rest[::2]], [first, *rest[1::2]], strict=True):
        factor, _, name = term.rpartition("*")
        try:
            weight = float(factor or 1)
        except ValueError:
            weight = math.nan
        unspaced = re.fullmatch(r"[\d\s.*+-]*\+[\d\s.*+-]*", name)
        if not name.strip() or unspaced or not math.isfinite(weight):
            raise ConfigError(f"arithmetic with latents is written like a - b + 0.5*c, with spaces, got {text!r}.")
        terms.append((-weight if sign == "-" else weight, name.strip()))
    return terms


def mixed(latent: Latent, styles: Latent, layers: Sequence[int]) -> Latent:
    """Return a latent with some rows of ws from another of the same network; the rest stays.

    Raises: ConfigError for latents of two spaces.
    """
    if len({latent.space, styles.space} - {None}) > 1 or latent.ws.shape != styles.ws.shape:
        raise ConfigError(f"styles are mixed within one network, got the spaces {latent.space} and {styles.space}.")
    return replace(latent, ws=mix_ws(latent.ws, styles.ws, layers))


def direction_sheet(
    G: GeneratorLike,
    latents: Sequence[Latent],
    direction: Direction,
    strengths: Sequence[float],
    *,
    layers: Sequence[int] | None = None,
    batch: int = 16,
) -> Iterator[Tensor]:
    """Yield the images of a contact sheet [C, H, W] uint8, a row for each latent, a column for each strength."""
    moved = (direction.moved(latent, strength, layers) for latent in latents for strength in strengths)
    return draw(G, moved, batch=batch)
