"""`stylegan generate`: seeds -> single images, a sheet of them, a truncation sweep, or tar files."""

from __future__ import annotations

import math
import re
import time
from collections.abc import Callable, Iterator, Sequence
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal, NamedTuple

import click

from stylegan.cli.launch import shared
from stylegan.cli.options import (
    Psis,
    network_or_default_option,
    outdir_option,
    sampling_options,
    say_wrote,
    with_progress,
)
from stylegan.cli.points import Points
from stylegan.files.counted import counted

if TYPE_CHECKING:
    from torch import Tensor

    from stylegan.machine.processes import World
    from stylegan.sampling.latent import Latent


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
    """Finite numbers separated by commas, as many as the name has words."""

    def __init__(self, name: str):
        self.name = name

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> list[float]:
        try:
            numbers = [float(part) for part in value.split(",")]
        except ValueError:
            numbers = [math.nan]
        if len(numbers) != len(self.name.split(",")) or not all(map(math.isfinite, numbers)):
            self.fail(
                f"expected {self.name.upper()} in finite numbers, such as {param and param.default}, got {value!r}.",
                param,
                ctx,
            )
        return numbers


@click.command("generate")
@network_or_default_option
@click.option(
    "--seeds",
    type=Points(),
    default="0",
    show_default=True,
    help="Seeds to draw, one image each, for example 0-7,42. A file of latents (.npz) or an image, which is projected "
    "first, can take the place of a seed.",
)
@click.option(
    "--trunc",
    "psis",
    type=Psis(),
    default="1",
    show_default=True,
    help="Truncation psi: 0 gives the average image, 1 the full variety, and 0.7 is a good compromise. Several values, "
    "such as 0,0.5,1, draw every seed at each of them into truncation.png.",
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
    help="Write tar files of IMAGES images each instead of single images; tar files that exist already are kept.",
)
@click.option(
    "--translate",
    type=_Motion("x,y"),
    default="0,0",
    show_default=True,
    help="Shift the images of a StyleGAN3 right and down, in image widths, for example 0.25,-0.1.",
)
@click.option(
    "--rotate",
    type=_Motion("degrees"),
    default="0",
    show_default=True,
    help="Rotate the images of a StyleGAN3 counter-clockwise about their center, before the shift.",
)
@outdir_option
@sampling_options
@shared
def command(
    world: World,
    seeds: list[int | Path],
    psis: list[float],
    grid: tuple[int, int] | Literal["auto"] | None,
    shards: int | None,
    translate: list[float],
    rotate: list[float],
    outdir: Path,
    open_network: Callable[..., Any],
    **drawing: Any,
) -> None:
    """Write one PNG per seed: seed0000.png and so on.

    The same network and seed give the same image on any machine, up to rounding, unless --noise-mode is random.
    Existing files of the same name are replaced.

    Under torchrun the processes share the seeds: torchrun --standalone --nproc-per-node 8 -m stylegan generate ...
    """
    files = [point for point in seeds if isinstance(point, Path)]
    if files and (shards or len(psis) > 1):
        raise click.UsageError(f"{files[0]} is a latent and not a seed; leave out --shards, and give one --trunc.")
    sheet = _sheet(grid, len(seeds), len(psis))  # a file with several latents may still overfill it
    if sheet and shards:
        raise click.UsageError("--shards writes single images; leave out --grid and give one --trunc.")
    if sheet and not world.is_main:
        return  # one process draws the whole sheet
    from stylegan.files.digest import digest
    from stylegan.images.grid import make_grid
    from stylegan.images.png import make_folder, save_png
    from stylegan.sampling.generate import generate_images
    from stylegan.sampling.labels import class_labels
    from stylegan.sampling.tar_output import write_shards
    from stylegan.sampling.transform import inverse_transform, transform_of
    from stylegan.sampling.truncation import truncation_sweep

    start = time.perf_counter()
    # Processes that share the seeds all draw with the same form.
    G, points = open_network(world, seeds, images=len(seeds) * len(psis) if world.size == 1 else 0)
    starts = [point.seed for point in points]
    if any(translate + rotate):
        transform_of(G).copy_(inverse_transform(*translate, *rotate))
    if len(files) < len(seeds):
        class_labels(G, drawing["label"], 1)  # refuses a label that does not fit before a folder is made
    make_folder(outdir)
    progress = partial(with_progress, what="Drawing", show=world.is_main)

    def draw(seeds: Sequence[int | Latent]) -> Iterator[Tensor]:
        return generate_images(G, seeds, psi=psis[0], **drawing)

    if sheet:
        images = truncation_sweep(G, starts, psis, **drawing) if len(psis) > 1 else draw(starts)
        images = progress(images, total=len(starts) * len(psis))
        save_png(make_grid(images, sheet.columns, sheet.rows), outdir / sheet.file)
        wrote = f"{outdir / sheet.file} ({sheet.description})"
    elif shards:
        settings = {"network": digest(G.state_dict().values()), "psi": psis[0], **drawing}
        new = list(write_shards(outdir, starts, shards, draw, settings, rank=world.rank, size=world.size))
        wrote = f"{counted(sum(n for _, n in new), 'image')} in {counted(len(new), 'new shard')} to {outdir}"
    else:
        points = points[world.rank :: world.size]
        images = progress(draw([point.seed for point in points]), total=len(points))
        for point, image in zip(points, images, strict=True):
            save_png(image, outdir / f"{point.name}.png")
        wrote = f"{counted(len({point.name for point in points}), 'image')} to {outdir}"
    say_wrote(wrote, start)


class _Sheet(NamedTuple):
    file: str
    columns: int
    rows: int
    description: str


def _sheet(grid: tuple[int, int] | Literal["auto"] | None, seeds: int, psis: int) -> _Sheet | None:
    """Return the sheet that the options ask for, or None for single images. Raises: click.UsageError."""
    if psis > 1:
        if grid:
            raise click.UsageError("several values of --trunc draw their own sheet; leave out --grid.")
        return _Sheet("truncation.png", psis, seeds, "a row per seed, a column per psi")
    if grid is None:
        return None
    if grid == "auto":
        from stylegan.images.grid import auto_shape

        grid = auto_shape(seeds)
    columns, rows = grid
    if columns * rows < seeds:
        raise click.UsageError(
            f"--grid {columns}x{rows} holds {counted(columns * rows, 'image')}, got {seeds} seeds; make it larger."
        )
    return _Sheet("grid.png", columns, rows, f"{columns}x{rows}")
