"""Batches of generated and of real images, shared by the processes that measure them together."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import torch
from torch import Tensor

from stylegan.data.dataset import Dataset
from stylegan.images.pixels import as_bytes
from stylegan.machine.processes import World
from stylegan.machine.surroundings import in_ordinary_torch
from stylegan.metrics.protocol import random_latents
from stylegan.networks.protocol import GeneratorLike
from stylegan.sampling.generate import batched

BATCH = 16  # images; what a core's cache likes best


def share(batches: int, world: World) -> range:
    """Numbers of the batches of this process: neighbors, so that few shards of a data set are opened."""
    return range(batches * world.rank // world.size, batches * (world.rank + 1) // world.size)


def real_batches(dataset: Dataset, world: World) -> tuple[Iterator[Tensor], int]:
    """This process's share of all images, uint8 [N, C, H, W], and the number of its batches."""
    mine = share(-(-len(dataset) // BATCH), world)
    return (dataset.images(range(len(dataset))[i * BATCH : (i + 1) * BATCH]) for i in mine), len(mine)


def fake_batches(G: GeneratorLike, dataset: Dataset, num: int, seed: int, world: World) -> tuple[Iterator[Tensor], int]:
    """This process's share of `num` generated images, and the number of its batches.

    Drawn without truncation, with random noise and the labels of random images of `dataset`. Seeds torch's global
    generator, from which networks draw their noise; the caller forks it.

    Returns: uint8 [N, C, H, W] on the device of `G`.
    """
    batch = max(1, min(BATCH, BATCH * 256**2 // G.img_resolution**2))  # fewer large images, for the sake of memory
    mine = share(-(-num // batch), world)
    return in_ordinary_torch(_draw(G, dataset, num, seed, batch, mine), gradients=False), len(mine)


def _draw(G: GeneratorLike, dataset: Dataset, num: int, seed: int, batch: int, mine: range) -> Iterator[Tensor]:
    rng = torch.Generator().manual_seed(seed)
    for i, part in enumerate(batched(range(num), batch)):
        z, c = random_latents(G, len(part), dataset, rng)
        if i not in mine:
            continue
        # The noise is that of the batch, whichever process draws it.
        torch.manual_seed(int(np.random.SeedSequence([seed, i]).generate_state(1)[0]))
        yield as_bytes(G.synthesis(G.mapping(z, c), noise_mode="random"))
