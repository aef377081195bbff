"""`stylegan interpolate`: seeds or classes -> a seamless loop through them."""

from __future__ import annotations

import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import click
from click.core import ParameterSource

from stylegan.cli.launch import main_only
from stylegan.cli.options import (
    LocalPath,
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
    type=click.Choice(["w", "z", "circle"]),
    default="w",
    show_default=True,
    help="Space to interpolate in: w is smoother and follows a straight line; z follows an arc (for classes, through "
    "mixtures of them) and varies more on the way; circle is a noise loop, a closed curve in z without corners that an "
    "even number of seeds spans.",
)
@click.option(
    "--easing",
    type=click.Choice(["linear", "smooth"]),
    default="linear",
    show_default=True,
    help="How to move from seed to seed: evenly, or slowing down at each.",
)
@click.option(
    "--song",
    type=LocalPath(exists=True, dir_okay=False),
    metavar="FILE",
    help="An audio file that drives the walk through the seeds, and becomes the sound of an .mp4: bass moves it, and "
    "onsets pulse. It takes the place of --frames.  [default file: out/song.mp4]",
)
@click.option(
    "--drive",
    type=click.FloatRange(min=0),
    default=2.0,
    show_default=True,
    metavar="SEEDS",
    help="With --song, seeds a second that the loudest bass adds to half a seed.",
)
@click.option(
    "--pulse",
    type=click.FloatRange(min=0),
    default=0.4,
    show_default=True,
    metavar="SHARE",
    help="With --song, how far an onset moves the image from the average.",
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
    easing: str,
    song: Path | None,
    drive: float,
    pulse: float,
    fps: float,
    dest: str,
    psi: float,
    cutoff: int | None,
    label: str | None,
    open_network: Callable[..., Any],
    **drawing: Any,
) -> None:
    """Write a seamless loop that passes through the seeds or classes and returns to the first."""
    if song is not None and (classes is not None or space != "w"):
        raise click.UsageError("--song walks through seeds in w; leave --classes and --space out.")
    if song is not None and click.get_current_context().get_parameter_source("dest") is ParameterSource.DEFAULT:
        dest = "out/song.mp4"
    if classes is not None and label is not None:
        raise click.UsageError("--classes names all labels of the loop; leave --class out.")
    seeds = seeds or ([0] if classes else [0, 1, 2, 3])
    if len(seeds) < 2 and classes is None:
        raise click.BadParameter("a loop needs at least two seeds, for example 0-3.", param_hint="'--seeds'")
    from stylegan.images.video import check_video
    from stylegan.sampling.generate import draw
    from stylegan.sampling.interpolation import loop
    from stylegan.sampling.labels import waypoints
    from stylegan.sampling.song import dance, hear, read_sound

    with wrong_usage():
        check_video(dest, fps)
    start = time.perf_counter()
    G, points = open_network(None, seeds, images=frames * max(len(seeds), len((classes or "").split(","))))
    starts = [point.seed for point in points]
    if song is not None:
        heard = hear(read_sound(song), fps)
        seeds_only = [start for start in starts if isinstance(start, int)]
        if len(seeds_only) < len(starts):
            raise click.UsageError("--song walks through seeds; leave out latents and images.")
        danced = dance(G, seeds_only, heard, drive=drive, pulse=pulse, label=label, psi=psi, cutoff=cutoff)
        write_loop(draw(G, danced, **drawing), len(heard), dest, fps, start, song)
        return
    labels = waypoints(G, classes) if classes else [label] if label else []
    ws = loop(G, starts, frames, space=space, easing=easing, labels=labels, psi=psi, cutoff=cutoff)
    write_loop(draw(G, ws, **drawing), max(len(starts), len(labels)) * frames, dest, fps, start)
