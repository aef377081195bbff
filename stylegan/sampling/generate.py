"""Seeds to images, in batches, one image at a time out."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from itertools import islice

import torch
from torch import Tensor

from stylegan.errors import ConfigError
from stylegan.images.pixels import to_uint8
from stylegan.networks.protocol import GeneratorLike, device_of
from stylegan.sampling.labels import Label, class_labels
from stylegan.sampling.latents import latents


def generate(
    G: GeneratorLike,
    seeds: Sequence[int],
    *,
    label: Label | None = None,
    psi: float = 1.0,
    cutoff: int | None = None,
    noise_mode: str = "const",
    batch: int = 16,
) -> Iterator[Tensor]:
    """Draw one image per seed.

    Args:
        label: class or label vector, see `label_vector`; required for a network with labels, None for one without.
        psi: truncation; 1 = full variety, 0 = the average image, below 0 = the opposite of the seed.
        cutoff: truncate only the first so many layers; None for all.
        noise_mode: "const", "random" or "none".
        batch: images drawn at a time. It changes speed and memory; pixels at most by one step of 255.
    Yields: [C, H, W] uint8 on the CPU, in the order of the seeds.
    Raises: ConfigError for a seed, label, noise mode or batch that makes no sense.
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
    """The ws of N seeds, [N, num_ws, w_dim] on the network's device. Arguments as in `generate`."""
    return map_latents(G, latents(seeds, G.z_dim), class_labels(G, label, len(seeds)), psi=psi, cutoff=cutoff)


@torch.no_grad()
def map_latents(G: GeneratorLike, z: Tensor, c: Tensor | None, *, psi: float, cutoff: int | None) -> Tensor:
    """z [N, z_dim], c [N, c_dim] or None -> ws [N, num_ws, w_dim] on the network's device."""
    device = device_of(G)
    return G.mapping(z.to(device), None if c is None else c.to(device), truncation_psi=psi, truncation_cutoff=cutoff)


@torch.inference_mode()
def draw(G: GeneratorLike, ws: Iterable[Tensor], *, noise_mode: str = "const", batch: int = 16) -> Iterator[Tensor]:
    """Images of a stream of ws: each [num_ws, w_dim] in gives one [C, H, W] uint8 on the CPU out.

    Never more than `batch` of them are held at a time, so the stream may be as long as you like.
    """
    device = device_of(G)
    for part in batched(ws, batch):
        yield from to_uint8(G.synthesis(torch.stack(part).to(device), noise_mode=noise_mode)).cpu()


def batched(items: Iterable, n: int) -> Iterator[list]:
    """Lists of n items; the last one may be shorter. Raises: ConfigError for n below 1."""
    if n < 1:
        raise ConfigError(f"batch must be at least 1, got {n}.")
    stream = iter(items)
    while part := list(islice(stream, n)):
        yield part
