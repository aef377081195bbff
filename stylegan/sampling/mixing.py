"""Style mixing: some layers of an image take their style from another image. StyleGAN Sec. 3.1 and Fig. 3."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import replace

import torch
from torch import Tensor

from stylegan.errors import ConfigError
from stylegan.networks.protocol import GeneratorLike
from stylegan.sampling.generate import draw, to_latents
from stylegan.sampling.labels import Label
from stylegan.sampling.latent import Latent

NAMES = ("coarse", "middle", "fine")


def named_styles(num_ws: int) -> dict[str, range]:
    """Return the layers called "coarse", "middle" and "fine" in a network of `num_ws` layers.

    Coarse is 4 to 8 pixels (layers 0-3: pose, shape), middle 16 to 32 (4-7: features), fine the rest (8 and up:
    colors, texture). The layers of a network with fewer than 12, which has few or no fine ones, are split into thirds.
    """
    first, second = (4, 8) if num_ws >= 12 else (round(num_ws / 3), round(num_ws * 2 / 3))
    bounds = ((0, first), (first, second), (second, num_ws))
    return {name: range(*bound) for name, bound in zip(NAMES, bounds, strict=True)}


def parse_styles(text: str, num_ws: int) -> list[int]:
    """Parse layers, ranges and names separated by commas, such as "0-6,9" or "coarse,8", to sorted layer indices.

    Raises: ConfigError for any other text, and for a layer that the network does not have.
    """
    layers: set[int] = set()
    for part in (part.strip() for part in text.split(",")):
        match = re.fullmatch(r"([0-9]{1,999})(?:-([0-9]{1,999}))?", part)
        if part in NAMES:
            layers.update(named_styles(num_ws)[part])
        elif match:
            first, last = int(match[1]), int(match[2] or match[1])
            if last < first:
                raise ConfigError(f"a range of layers ascends, got {part!r}; write {last}-{first}.")
            if last >= num_ws:
                raise ConfigError(f"this network has the layers 0-{num_ws - 1}, got {part!r}.")
            layers.update(range(first, last + 1))
        else:
            raise ConfigError(f"styles are layers such as 0-6,9 or the names {', '.join(NAMES)}, got {part!r}.")
    return sorted(layers)


def mix_ws(row: Tensor, column: Tensor, layers: Sequence[int]) -> Tensor:
    """Return `row` with `layers` replaced by those of `column`; both are [..., num_ws, w_dim]."""
    ws = row.clone()
    ws[..., list(layers), :] = column[..., list(layers), :].to(ws)
    return ws


def mixing_matrix(
    G: GeneratorLike,
    row_seeds: Sequence[int | Latent],
    col_seeds: Sequence[int | Latent],
    layers: Sequence[int],
    *,
    label: Label | None = None,
    psi: float = 1.0,
    cutoff: int | None = None,
    noise_mode: str = "const",
    batch: int = 16,
) -> Iterator[Tensor]:
    """Mix every row seed with every column seed: image (r, c) takes `layers` from column c and the rest from row r.

    The first row and the first column show the images of the seeds themselves; the corner is black. StyleGAN Fig. 3.

    Args: label, psi, cutoff, noise_mode, batch as in `generate_images`.
    Yields: (1 + len(row_seeds)) * (1 + len(col_seeds)) images [C, H, W] uint8, row by row.
    """
    rows = to_latents(G, row_seeds, label=label, psi=psi, cutoff=cutoff)
    columns = to_latents(G, col_seeds, label=label, psi=psi, cutoff=cutoff)

    def stream() -> Iterator[Latent]:
        yield from columns
        for row in rows:
            yield row
            yield from (replace(row, ws=mix_ws(row.ws, column.ws, layers)) for column in columns)

    for k, image in enumerate(draw(G, stream(), noise_mode=noise_mode, batch=batch)):
        if k == 0:
            yield torch.zeros_like(image)
        yield image
