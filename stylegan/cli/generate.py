"""`stylegan generate`: seeds -> images, a sheet of them, or a truncation sweep."""

from __future__ import annotations

import math
import re
import time
from collections.abc import Callable, Iterable, Sequence
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

import click

from stylegan.cli.options import (
    Psis,
    Seeds,
    network_option,
    outdir_option,
    sampling_options,
    say_wrote,
    with_progress,
)

if TYPE_CHECKING:
    from torch import Tensor

    from stylegan.machine.processes import World

    Draw = Callable[[Sequence[int]], Iterable[Tensor]]  # seeds -> images


class _Grid(click.ParamType):
    name = "colsxrows"

    def convert(
        self, value: Any, param: click.Parameter | None, ctx: click.Context | None
    ) -> tuple[int, int] | Literal["auto"]:
        match = re.fullmatch(r"([1-9][0-9]{0,3})x([1-9][0-9]{0,3})", value)
        if match is None and value != "auto":
            self.fail(f"a grid is COLSxROWS such as 8x4, or auto, got {value!r}.", param, ctx)
        return (int(match[1]), int(match[2])) if match else "auto"


class _Motion(click.ParamType):
    """Finite numbers, one for each word of the name."""

    def __init__(self, name: str):
        self.name = name

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> list[float]:
        try:
            numbers = [float(part) for part in value.split(",")]
        except ValueError:
            numbers = [math.nan]
        if len(numbers) != len(self.name.split(",")) or not all(map(math.isfinite, numbers)):
            self.fail(
                f"this is {self.name.upper()} in finite numbers, such as {param and param.default}, got {value!r}.",
                param,
                ctx,
            )
        return numbers


@click.command("generate")
@network_option
@click.option("--seeds", type=Seeds(), default="0", show_default=True, help="Which images, for example 0-7,42.")
@click.option(
    "--trunc",
    "psis",
    type=Psis(),
    default="1",
    show_default=True,
    help="0 = the average image, 1 = full variety; 0.7 is a good middle. Several, such as 0,0.5,1, draw every "
    "seed at each of them into truncation.png.",
)
@click.option(
    "--grid",
    type=_Grid(),
    metavar="COLSxROWS",
    help="Write one grid.png, for example 8x4 or auto, instead of single images.",
)
@click.option(
    "--shards",
    type=click.IntRange(min=1),
    metavar="IMAGES",
    help="Write tar files of so many images each instead of single ones; those that are there already are kept.",
)
@click.option(
    "--translate",
    type=_Motion("x,y"),
    default="0,0",
    show_default=True,
    help="For a StyleGAN3: move the image to the right and down by so many of its widths, such as 0.25,-0.1.",
)
@click.option(
    "--rotate",
    type=_Motion("degrees"),
    default="0",
    show_default=True,
    help="For a StyleGAN3: turn the image about its center, counter-clockwise, before it is moved.",
)
@outdir_option
@sampling_options
def command(
    seeds: list[int],
    psis: list[float],
    grid: tuple[int, int] | Literal["auto"] | None,
    shards: int | None,
    translate: list[float],
    rotate: list[float],
    outdir: Path,
    open_network: Callable[[], Any],
    **drawing: Any,
) -> None:
    """Write one PNG per seed, seed0000.png and so on.

    The same network and seed always give the same image (unless --noise-mode random), on any machine up to
    rounding. Older files of the same name are replaced.

    Under torchrun the processes share the seeds: torchrun --standalone --nproc-per-node 8 -m stylegan generate ...
    """
    if shards and (grid or len(psis) > 1):
        raise click.UsageError("--shards holds single images; leave out --grid and give one --trunc.")
    if grid and len(psis) > 1:
        raise click.UsageError("several values of --trunc draw a sheet of their own; leave --grid out.")
    if isinstance(grid, tuple) and grid[0] * grid[1] < len(seeds):
        raise click.UsageError(
            f"--grid {grid[0]}x{grid[1]} holds {grid[0] * grid[1]} images, got {len(seeds)} seeds; make it larger."
        )
    from stylegan.files.digest import digest
    from stylegan.images.png import make_folder
    from stylegan.machine.processes import from_environment
    from stylegan.sampling.generate import generate
    from stylegan.sampling.transform import inverse_transform, transform_of
    from stylegan.sampling.truncation import truncation_sweep

    start = time.perf_counter()
    world = from_environment()
    if (grid or len(psis) > 1) and not world.first:
        return  # a sheet is the work of one
    G = open_network()
    if any(translate + rotate):
        transform_of(G).copy_(inverse_transform(*translate, *rotate))
    make_folder(outdir)
    draw = partial(generate, G, psi=psis[0], **drawing)
    if shards:
        settings = {"network": digest(G.state_dict().values()), "psi": psis[0], **drawing}
        wrote = _shards(draw, seeds, shards, settings, outdir, world)
    elif grid:
        wrote = _sheet(draw, seeds, grid, outdir)
    elif len(psis) > 1:
        wrote = _sweep(partial(truncation_sweep, G, psis=psis, **drawing), seeds, len(psis), outdir)
    else:
        wrote = _singles(draw, seeds[world.rank :: world.size], outdir)
    say_wrote(wrote, start)


def _singles(draw: Draw, seeds: list[int], outdir: Path) -> str:
    from stylegan.images.png import save_png

    for seed, image in zip(seeds, with_progress(draw(seeds), "Drawing", len(seeds)), strict=True):
        save_png(image, outdir / f"seed{seed:04d}.png")
    return f"{_count(len(seeds))} to {outdir}"


def _sheet(draw: Draw, seeds: list[int], grid: tuple[int, int] | Literal["auto"], outdir: Path) -> str:
    from stylegan.images.grid import auto_shape, make_grid
    from stylegan.images.png import save_png

    columns, rows = auto_shape(len(seeds)) if grid == "auto" else grid
    images = with_progress(draw(seeds), "Drawing", len(seeds))
    save_png(make_grid(images, columns, rows), outdir / "grid.png")
    return f"{outdir / 'grid.png'} ({columns}x{rows})"


def _sweep(draw: Draw, seeds: list[int], columns: int, outdir: Path) -> str:
    from stylegan.images.grid import make_grid
    from stylegan.images.png import save_png

    images = with_progress(draw(seeds), "Drawing", len(seeds) * columns)
    save_png(make_grid(images, columns, len(seeds)), outdir / "truncation.png")
    return f"{outdir / 'truncation.png'} (a row per seed, a column per psi)"


def _shards(draw: Draw, seeds: list[int], per_shard: int, settings: dict[str, Any], outdir: Path, world: World) -> str:
    from stylegan.sampling.tar_output import write_shards

    new = list(write_shards(outdir, seeds, per_shard, draw, settings, rank=world.rank, size=world.size))
    return f"{_count(sum(n for _, n in new))} in {len(new)} new shards to {outdir}"


def _count(images: int) -> str:
    return "1 image" if images == 1 else f"{images} images"
