"""Seeds to images: all of them as one tensor, or as a stream drawn in batches."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from itertools import islice

import torch
from torch import Tensor

from stylegan.errors import ConfigError
from stylegan.images.pixels import to_uint8
from stylegan.machine.memory import memory_enough_for
from stylegan.networks.protocol import GeneratorLike, device_of
from stylegan.sampling.labels import Label, class_labels
from stylegan.sampling.latents import latents


def generate(
    G: GeneratorLike,
    seeds: Sequence[int],
    *,
    psi: float = 0.7,
    label: Label | None = None,
    cutoff: int | None = None,
    noise_mode: str = "const",
    batch: int = 16,
) -> Tensor:
    """Return one image per seed, drawn at a good compromise of quality and variety.

    Args: as in `generate_images`, which draws more images than fit into memory.
    Returns: [N, C, H, W] uint8 on the CPU, in the order of the N seeds.
    Raises: ConfigError for no seed, or for an invalid seed, label, noise mode or batch.
    """
    images = list(generate_images(G, seeds, label=label, psi=psi, cutoff=cutoff, noise_mode=noise_mode, batch=batch))
    if not images:
        raise ConfigError("drawing needs at least one seed, got none.")
    return torch.stack(images)


def generate_images(
    G: GeneratorLike,
    seeds: Sequence[int],
    *,
    label: Label | None = None,
    psi: float = 1.0,
    cutoff: int | None = None,
    noise_mode: str = "const",
    batch: int = 16,
) -> Iterator[Tensor]:
    """Draw one image per seed, with at most `batch` of them in memory.

    Args:
        label: class or label vector, see `label_vector`; required for a network with labels, None for one without.
        psi: truncation; 1 gives the full variety, 0 the average image, and negative values the opposite of the seed.
        cutoff: number of layers to truncate, from the first on; None for all.
        noise_mode: "const", "random" or "none".
        batch: images drawn at a time. It affects speed and memory, and pixels by at most one step of 255.
    Yields: [C, H, W] uint8 on the CPU, in the order of the seeds.
    Raises: ConfigError for an invalid seed, label, noise mode or batch.
    """
    for part in batched(seeds, batch):
        ws = seeds_to_ws(G, part, label=label, psi=psi, cutoff=cutoff)
        yield from draw(G, ws, noise_mode=noise_mode, batch=batch)


@torch.no_grad()
def seeds_to_ws(
    G: GeneratorLike,
    seeds: Sequence[int],
    *,
    label: Label | None = None,
    psi: float = 1.0,
    cutoff: int | None = None,
) -> Tensor:
    """Return the ws of N seeds, [N, num_ws, w_dim] on the network's device. Arguments as in `generate_images`."""
    return map_latents(G, latents(seeds, G.z_dim), class_labels(G, label, len(seeds)), psi=psi, cutoff=cutoff)


@torch.no_grad()
def map_latents(G: GeneratorLike, z: Tensor, c: Tensor | None, *, psi: float, cutoff: int | None) -> Tensor:
    """Map z [N, z_dim] and c [N, c_dim] or None to ws [N, num_ws, w_dim] on the network's device."""
    device = device_of(G)
    return G.mapping(z.to(device), None if c is None else c.to(device), truncation_psi=psi, truncation_cutoff=cutoff)


@torch.inference_mode()
def draw(G: GeneratorLike, ws: Iterable[Tensor], *, noise_mode: str = "const", batch: int = 16) -> Iterator[Tensor]:
    """Yield one image [C, H, W] uint8 on the CPU for each w of a stream, [num_ws, w_dim].

    At most `batch` images are in memory at a time, so the stream can have any length.
    """
    device = device_of(G)
    for part in batched(ws, batch):
        with memory_enough_for(f"drawing {len(part)} images at a time", "use a smaller `batch`"):
            images = to_uint8(G.synthesis(torch.stack(part).to(device), noise_mode=noise_mode)).cpu()
        yield from images


def batched(items: Iterable, n: int) -> Iterator[list]:
    """Yield lists of n items; the last list may be shorter. Raises: ConfigError for n below 1."""
    if n < 1:
        raise ConfigError(f"batch must be at least 1, got {n}.")
    stream = iter(items)
    while part := list(islice(stream, n)):
        yield part
