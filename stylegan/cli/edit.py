"""`stylegan edit`: latents -> latents moved along directions, mixed or summed, with their images."""

from __future__ import annotations

import time
from pathlib import Path

import click

from stylegan.cli.latent_options import (
    chosen_latents,
    latent_options,
    layers_option,
    one_latent,
    open_trained,
    parsed_layers,
    strengths_of,
    write_results,
)
from stylegan.cli.launch import main_only
from stylegan.cli.options import network_or_default_option, outdir_option, say_wrote, wrong_usage


@click.command("edit")
@network_or_default_option
@latent_options
@click.option(
    "--direction",
    "directions",
    multiple=True,
    metavar="[FILE:]NAME=STRENGTH",
    help="Direction to move along and how far, in standard deviations; negative is the opposite. Without FILE, one of "
    "those that come with the network. It may be given more than once.",
)
@layers_option
@click.option(
    "--mix", metavar="SEED|FILE", help="Latent that gives --layers their styles, before directions are applied."
)
@click.option(
    "--sum",
    "arithmetic",
    metavar="TEXT",
    help="Sum of seeds and files to start from instead, such as '3 - 5 + face.npz' or '0.5*3 + 0.5*4'.",
)
@outdir_option
@main_only
def command(
    network: Path | None,
    seeds: list[int | Path] | None,
    psi: float,
    label: str | None,
    device: str,
    directions: tuple[str, ...],
    layers: str | None,
    mix: str | None,
    arithmetic: str | None,
    outdir: Path,
) -> None:
    """Write NAME-edited.png and NAME-edited.npz for every seed and latent."""
    from stylegan.editing.edit import combined, edit, mixed, parse_arithmetic

    start = time.perf_counter()
    if arithmetic and seeds:
        raise click.UsageError("--sum names its latents itself; leave out --seeds.")
    if mix and not layers:
        raise click.UsageError("--mix needs the layers that it changes; choose them with --layers, such as fine.")
    G, folder = open_trained(network, device)
    rows = parsed_layers(G, layers)
    with wrong_usage():
        if arithmetic:
            terms = [(weight, one_latent(G, name, psi, label)) for weight, name in parse_arithmetic(arithmetic)]
            latents = {"sum": combined(terms)}
        else:
            latents = chosen_latents(G, seeds, psi, label)
        if mix:
            styles = one_latent(G, mix, psi, label)
            latents = {name: mixed(latent, styles, rows or []) for name, latent in latents.items()}
        moves = strengths_of(G, folder, directions)
        latents = {name: edit(latent, moves, None if mix else rows) for name, latent in latents.items()}
    write_results(G, latents, outdir, "-edited")
    say_wrote(f"{len(latents)} images and latents to {outdir}", start)
