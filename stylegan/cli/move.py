"""`stylegan move`: a StyleGAN3 -> a seamless loop of images that shift or rotate."""

from __future__ import annotations

import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import click

from stylegan.cli.launch import main_only
from stylegan.cli.options import (
    network_option,
    sampling_options,
    trunc_option,
    video_options,
    write_loop,
    wrong_usage,
)
from stylegan.cli.points import Points


@click.command("move")
@network_option
@click.option(
    "--seeds",
    type=Points(),
    default="0-3",
    show_default=True,
    help="Seeds, latents (.npz) or images to draw, side by side, for example 0-3,photo.npz.",
)
@click.option(
    "--path",
    type=click.Choice(["circle", "shift", "rotate"]),
    default="circle",
    show_default=True,
    help="Motion of the images: along a circle with a radius of an eighth of the image width; a shift right and left "
    "by the same distance; or one full rotation, which needs a StyleGAN3-R.",
)
@click.option(
    "--frames",
    type=click.IntRange(min=1),
    default=60,
    show_default=True,
    metavar="FRAMES",
    help="Number of images in the whole loop.",
)
@video_options("out/move.gif")
@trunc_option
@sampling_options
@main_only
def command(
    seeds: list[int | Path],
    path: str,
    frames: int,
    fps: float,
    dest: str,
    psi: float,
    cutoff: int | None,
    label: str | None,
    open_network: Callable[..., Any],
    **drawing: Any,
) -> None:
    """Write a seamless loop in which the images of a StyleGAN3 move, with all their detail."""
    from stylegan.images.video import check_video
    from stylegan.sampling.generate import to_latents
    from stylegan.sampling.motion import move

    with wrong_usage():
        check_video(dest, fps)
    start = time.perf_counter()
    G, points = open_network(None, seeds)
    latents = to_latents(G, [point.seed for point in points], label=label, psi=psi, cutoff=cutoff)
    write_loop(move(G, latents, path, frames, **drawing), frames, dest, fps, start)
