"""`stylegan interpolate`: seeds or classes -> a seamless loop through them."""

from __future__ import annotations

import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import click

from stylegan.cli.launch import main_only
from stylegan.cli.options import (
    network_or_default_option,
    sampling_options,
    trunc_option,
    video_options,
    write_loop,
    wrong_usage,
)
from stylegan.cli.points import Points


@click.command("interpolate")
@network_or_default_option
@click.option(
    "--seeds",
    type=Points(),
    help="Seeds, latents (.npz) or images to pass through, two or more, for example 0-3,7,photo.npz.  "
    "[default: 0-3, or 0 with --classes]",
)
@click.option(
    "--classes",
    metavar="LABELS",
    help="Classes to pass through, such as 0-3,7 or cat,dog, with one seed for all or one seed for each. Separate "
    "label vectors by semicolons: 'smile=0;smile=1,hat=1'.",
)
@click.option(
    "--frames",
    type=click.IntRange(min=1),
    default=30,
    show_default=True,
    metavar="FRAMES",
    help="Number of images from one seed or class to the next.",
)
@click.option(
    "--space",
    type=click.Choice(["w", "z"]),
    default="w",
    show_default=True,
    help="Space to interpolate in: w is smoother and follows a straight line; z follows an arc (for classes, through "
    "mixtures of them) and varies more on the way.",
)
@video_options("out/loop.gif")
@trunc_option
@sampling_options
@main_only
def command(
    seeds: list[int | Path] | None,
    classes: str | None,
    frames: int,
    space: str,
    fps: float,
    dest: str,
    psi: float,
    cutoff: int | None,
    label: str | None,
    open_network: Callable[..., Any],
    **drawing: Any,
) -> None:
    """Write a seamless loop that passes through the seeds or classes and returns to the first."""
    if classes is not None and label is not None:
        raise click.UsageError("--classes names all labels of the loop; leave --class out.")
    seeds = seeds or ([0] if classes else [0, 1, 2, 3])
    if len(seeds) < 2 and classes is None:
        raise click.BadParameter("a loop needs at least two seeds, for example 0-3.", param_hint="'--seeds'")
    from stylegan.images.video import check_video
    from stylegan.sampling.generate import draw
    from stylegan.sampling.interpolation import loop
    from stylegan.sampling.labels import waypoints

    with wrong_usage():
        check_video(dest, fps)
    start = time.perf_counter()
    G, points = open_network(None, seeds, images=frames * max(len(seeds), len((classes or "").split(","))))
    starts = [point.seed for point in points]
    labels = waypoints(G, classes) if classes else [label] if label else []
    ws = loop(G, starts, frames, space=space, labels=labels, psi=psi, cutoff=cutoff)
    write_loop(draw(G, ws, **drawing), max(len(starts), len(labels)) * frames, dest, fps, start)
