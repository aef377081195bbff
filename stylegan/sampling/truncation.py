"""Truncation sweeps: each seed at several psi, from the average image to the full variety and beyond."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import torch
from torch import Tensor

from stylegan.networks.protocol import GeneratorLike
from stylegan.sampling.generate import draw, seeds_to_ws
from stylegan.sampling.labels import Label


def truncation_sweep(
    G: GeneratorLike,
    seeds: Sequence[int],
    psis: Sequence[float],
    *,
    label: Label | None = None,
    cutoff: int | None = None,
    noise_mode: str = "const",
    batch: int = 16,
) -> Iterator[Tensor]:
    """Draw every seed at every psi, a row per seed and a column per psi. StyleGAN Fig. 8.

    Args:
        psis: any numbers; negative ones give the opposite of a seed, and those above 1 exaggerate it.
        label, cutoff, noise_mode, batch: as in `generate_images`.
    Yields: len(seeds) * len(psis) images [C, H, W] uint8, row by row.
    """
    full = seeds_to_ws(G, seeds, label=label)
    # At psi = 0 the network returns its average, and the original w in the layers beyond the cutoff.
    average = seeds_to_ws(G, seeds, label=label, psi=0, cutoff=cutoff)
    ws = (torch.lerp(a, w, psi) for a, w in zip(average, full, strict=True) for psi in psis)
    return draw(G, ws, noise_mode=noise_mode, batch=batch)
