"""`stylegan mix`: two sets of seeds -> a matrix of images that mixes their styles."""

from __future__ import annotations

import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import click

from stylegan.cli.launch import main_only
from stylegan.cli.options import (
    network_or_default_option,
    outdir_option,
    sampling_options,
    say_wrote,
    trunc_option,
    with_progress,
    wrong_usage,
)
from stylegan.cli.points import Points


@click.command("mix")
@network_or_default_option
@click.option(
    "--rows",
    type=Points(),
    required=True,
    help="Seeds, latents (.npz) or images that control the other layers, for example 0-3.",
)
@click.option(
    "--cols", type=Points(), required=True, help="The same for the layers of --styles, for example 4-9,photo.npz."
)
@click.option(
    "--styles",
    default="coarse",
    show_default=True,
    metavar="LAYERS",
    help="Layers that the columns control: coarse (pose, shape), middle (features), fine (colors), or numbers such as "
    "0-6,9.",
)
@trunc_option
@outdir_option
@sampling_options
@main_only
def command(
    rows: list[int | Path],
    cols: list[int | Path],
    styles: str,
    outdir: Path,
    open_network: Callable[..., Any],
    **drawing: Any,
) -> None:
    """Write mix.png: every row seed with the styles of every column seed.

    The images of the seeds themselves are in the first column and the first row.
    """
    from stylegan.images.grid import make_grid
    from stylegan.images.png import make_folder, save_png
    from stylegan.sampling.mixing import mixing_matrix, parse_styles

    start = time.perf_counter()
    G, row_points, col_points = open_network(None, rows, cols)
    row_seeds, col_seeds = ([point.seed for point in points] for points in (row_points, col_points))
    with wrong_usage("--styles"):
        layers = parse_styles(styles, G.num_ws)
    make_folder(outdir)
    shape = len(col_seeds) + 1, len(row_seeds) + 1
    images = with_progress(mixing_matrix(G, row_seeds, col_seeds, layers, **drawing), "Drawing", shape[0] * shape[1])
    save_png(make_grid(images, *shape), outdir / "mix.png")
    say_wrote(f"{outdir / 'mix.png'} (layers {', '.join(map(str, layers))} from the columns)", start)
