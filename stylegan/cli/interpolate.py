"""`stylegan interpolate`: seeds -> a seamless loop through them."""

from __future__ import annotations

import time
from pathlib import Path
from typing import Any

import click

from stylegan.cli.options import (
    Seeds,
    network_option,
    open_network,
    sampling_options,
    say_wrote,
    trunc_option,
    with_progress,
)
from stylegan.errors import ConfigError


@click.command("interpolate")
@network_option
@click.option(
    "--seeds", type=Seeds(), default="0-3", show_default=True, help="Two or more to pass through, for example 0-3,7."
)
@click.option(
    "--frames",
    type=click.IntRange(min=1),
    default=30,
    show_default=True,
    metavar="FRAMES",
    help="From one seed to the next.",
)
@click.option(
    "--space",
    type=click.Choice(["w", "z"]),
    default="w",
    show_default=True,
    help="w goes straight and smoothly, z along an arc with more change on the way.",
)
@click.option(
    "--fps",
    type=click.FloatRange(min=0, min_open=True),
    default=30,
    show_default=True,
    metavar="FPS",
    help="Pictures a second; a GIF shows at most 50.",
)
@click.option(
    "--dest",
    default="out/loop.gif",
    show_default=True,
    metavar="FILE",
    help="A .gif, a .webp (smaller, all colours), or a folder for numbered PNG frames.",
)
@trunc_option
@sampling_options
def command(
    network: Path,
    seeds: list[int],
    frames: int,
    space: str,
    fps: float,
    dest: str,
    psi: float,
    cutoff: int | None,
    class_index: int | None,
    device: str,
    precision: str,
    compile: bool,
    **drawing: Any,
) -> None:
    """Write a loop that moves through the seeds and from the last back to the first."""
    if len(seeds) < 2:
        raise click.BadParameter("a loop needs at least two seeds, for example 0-3.", param_hint="'--seeds'")
    from stylegan.sampling.generate import draw
    from stylegan.sampling.interpolation import loop
    from stylegan.sampling.video import check_video, save_video

    try:
        check_video(dest, fps)
    except ConfigError as error:
        raise click.UsageError(str(error)) from error
    start = time.perf_counter()
    G = open_network(network, device, precision, compile)
    ws = loop(G, seeds, frames, space=space, class_index=class_index, psi=psi, cutoff=cutoff)
    pictures = with_progress(draw(G, ws, **drawing), len(seeds) * frames)
    count = save_video(pictures, dest, fps=fps)
    say_wrote(f"{dest} ({count} pictures, {count / fps:.1f} s long)", start)
