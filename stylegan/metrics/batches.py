"""Batches of generated and of real images, shared by the processes that measure them together."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator, Sequence
from typing import Any, NamedTuple

import numpy as np
import torch
from torch import Tensor, nn

from stylegan.data.dataset import Dataset
from stylegan.images.pixels import as_bytes
from stylegan.machine.processes import World
from stylegan.machine.surroundings import in_ordinary_torch
from stylegan.metrics.protocol import random_latents
from stylegan.networks.protocol import GeneratorLike
from stylegan.sampling.generate import batched

BATCH = 16  # images; what a core's cache likes best
_ROWS = 4096  # of a matrix that is summed over the processes in one message


class Batches(NamedTuple):
    """The share of one process: neighbors, so that few shards of a data set are opened."""

    after: Callable[[int], Iterator[Any]]  # its batches without the first ones, which an earlier process has seen
    total: int  # of its batches
    first: int  # number of the first image in them


class Drawn(NamedTuple):
    """A batch of generated images with the latents that gave them."""

    z: Tensor  # [N, z_dim]
    ws: Tensor  # [N, num_ws, w_dim]
    s: Tensor  # [N, all styles], [N, 0] if they were not asked for
    images: Tensor  # uint8 [N, C, H, W]


def share(batches: int, world: World) -> range:
    """Numbers of the batches of this process."""
    return range(batches * world.rank // world.size, batches * (world.rank + 1) // world.size)


def shared(count: int, batch: int, world: World, items: Callable[[range], Iterator[Any]]) -> Batches:
    """This process's share of `count` images in batches of `batch`; `items` makes those with the numbers of a range."""
    mine = share(-(-count // batch), world)
    return Batches(lambda done: items(mine[done:]), len(mine), mine.start * batch)


def image_batches(dataset: Dataset, indices: Sequence[int] | np.ndarray, world: World) -> Batches:
    """This process's share of some images of a data set, uint8 [N, C, H, W]."""

    def items(mine: range) -> Iterator[Tensor]:
        return (dataset.images(indices[i * BATCH : (i + 1) * BATCH]) for i in mine)

    return shared(len(indices), BATCH, world, items)


def real_batches(dataset: Dataset, world: World) -> Batches:
    """This process's share of all images of a data set, uint8 [N, C, H, W]."""
    return image_batches(dataset, range(len(dataset)), world)


def fake_batches(G: GeneratorLike, dataset: Dataset | None, num: int, seed: int, world: World) -> Batches:
    """This process's share of `num` generated images, uint8 [N, C, H, W]; arguments as in `drawn_batches`."""
    drawn = drawn_batches(G, dataset, num, seed, world)
    return drawn._replace(after=lambda done: (batch.images for batch in drawn.after(done)))


def drawn_batches(
    G: GeneratorLike, dataset: Dataset | None, num: int, seed: int, world: World, *, styles: bool = False
) -> Batches:
    """This process's share of `num` generated images, as `Drawn` on the device of `G`.

    Drawn without truncation, with random noise and the labels of random images of `dataset`. Seeds torch's global
    generator, from which networks draw their noise; the caller forks it.

    Args:
        styles: also keep the styles, the outputs of all layers named `affine`.
    """

    def items(mine: range) -> Iterator[Drawn]:
        return in_ordinary_torch(_draw(G, dataset, num, seed, mine, styles=styles), gradients=False)

    return shared(num, batch_of(G), world, items)


def fake_images(G: GeneratorLike, dataset: Dataset | None, num: int, seed: int, indices: Sequence[int]) -> list[Tensor]:
    """Draw some of the images of `fake_batches` again, each uint8 [C, H, W], by their numbers."""
    batch = batch_of(G)
    numbers = sorted({i // batch for i in indices})
    drawn = in_ordinary_torch(_draw(G, dataset, num, seed, numbers), gradients=False)
    by_number = dict(zip(numbers, (part.images.cpu() for part in drawn), strict=True))
    return [by_number[i // batch][i % batch] for i in indices]


def batch_of(G: GeneratorLike) -> int:
    """Return the number of images that a metric draws at a time."""
    return max(1, min(BATCH, BATCH * 256**2 // G.img_resolution**2))  # fewer large images, for the sake of memory


def _draw(
    G: GeneratorLike, dataset: Dataset | None, num: int, seed: int, mine: Collection[int], *, styles: bool = False
) -> Iterator[Drawn]:
    rng = torch.Generator().manual_seed(seed)
    for i, part in enumerate(batched(range(num), batch_of(G))):
        z, c = random_latents(G, len(part), dataset, rng)
        if i not in mine:
            continue
        # The noise is that of the batch, whichever process draws it.
        torch.manual_seed(int(np.random.SeedSequence([seed, i]).generate_state(1)[0]))
        ws = G.mapping(z, c)
        kept: list[Tensor] = []
        handles = _keep_styles(G, kept) if styles else []
        try:
            images = as_bytes(G.synthesis(ws, noise_mode="random"))
        finally:
            for handle in handles:
                handle.remove()
        yield Drawn(z, ws, torch.cat(kept, 1) if kept else z.new_zeros(len(z), 0), images)


def _keep_styles(G: GeneratorLike, kept: list[Tensor]) -> list[Any]:
    """Append the output of each layer named `affine` to `kept` when it is computed; returns the hooks."""
    synthesis: Any = G.synthesis
    modules = synthesis.named_modules() if isinstance(synthesis, nn.Module) else ()
    layers = [module for name, module in modules if name.rpartition(".")[2] == "affine"]
    return [layer.register_forward_hook(lambda _, args, s: kept.append(s.detach().float())) for layer in layers]


def gather_rows(mine: Tensor | None, rows: int, first: int, world: World) -> Tensor:
    """Join the rows that all processes have computed to one matrix [rows, F] on the CPU.

    Args:
        mine: [N, F], those of this process without gaps; None if it has none.
        first: number of their first row.
    """
    found = world.gather(None if mine is None else (mine.shape[1], mine.dtype))
    width, dtype = next(shape for shape in found if shape is not None)
    if mine is not None and len(mine) == rows:
        return mine
    matrix = torch.zeros(rows, width, dtype=dtype)
    if mine is not None:
        matrix[first : first + len(mine)] = mine
    for block in matrix.split(_ROWS):
        world.sum_([block])  # each row is zero in all processes but one
    return matrix
