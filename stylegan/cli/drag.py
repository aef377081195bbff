"""`stylegan drag`: an image and pairs of points -> the image with the first of each pair at the place of the second."""

from __future__ import annotations

import time
from pathlib import Path

import click

from stylegan.cli.latent_options import chosen_latents, latent_options, open_trained, write_results
from stylegan.cli.launch import main_only
from stylegan.cli.options import LocalPath, network_or_default_option, outdir_option, wrong_usage
from stylegan.files.counted import counted


@click.command("drag")
@network_or_default_option
@latent_options
@click.option(
    "--points",
    required=True,
    metavar="X,Y->X,Y[;...]",
    help="Where each point is and where it goes, in pixels from the upper left corner, such as '20,30->40,30'.",
)
@click.option(
    "--mask",
    type=LocalPath(exists=True, dir_okay=False),
    metavar="FILE",
    help="Image of the network's size, white where the image may change and black where it should stay.",
)
@click.option(
    "--method",
    type=click.Choice(["freedrag", "draggan"]),
    default="freedrag",
    show_default=True,
    help="Rule by which the points move.",
)
@click.option("--steps", type=click.IntRange(min=1), default=300, show_default=True, help="Most steps of optimization.")
@click.option(
    "--space",
    type=click.Choice(["w", "w+"]),
    default="w+",
    show_default=True,
    help="Change the first layers alike (w, stays closer to the network's own images) or each on its own (w+).",
)
@outdir_option
@main_only
def command(
    network: Path | None,
    tuned: Path | None,
    seeds: list[int | Path] | None,
    psi: float,
    label: str | None,
    device: str,
    points: str,
    mask: Path | None,
    method: str,
    steps: int,
    space: str,
    outdir: Path,
) -> None:
    """Write NAME-dragged.png and NAME-dragged.npz for every seed and latent, and print how far the points came."""
    from stylegan.editing.drag import DragSettings, drag, parse_points, read_mask

    start = time.perf_counter()
    with wrong_usage("--points"):
        pairs = parse_points(points)
    G, _ = open_trained(network, device, tuned)
    allowed = read_mask(mask, G) if mask is not None else None
    settings = DragSettings(method=method, steps=steps, space=space)
    dragged = {}
    for name, latent in chosen_latents(G, seeds, psi, label).items():
        with wrong_usage():
            result = drag(G, latent, pairs, mask=allowed, settings=settings)
        dragged[name] = result.latent
        click.echo(
            f"{name}: {result.before:.1f} px from the target before, {result.after:.1f} px after "
            f"{counted(result.steps, 'step')}."
        )
    write_results(G, dragged, outdir, "-dragged", start)
