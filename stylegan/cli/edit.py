"""`stylegan edit`: latents -> latents moved along directions, mixed or summed, with their images."""

from __future__ import annotations

import time
from pathlib import Path
from typing import TYPE_CHECKING

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
from stylegan.cli.options import LocalPath, network_or_default_option, outdir_option, wrong_usage
from stylegan.cli.text_options import open_text_model, progress_of, text_options

if TYPE_CHECKING:
    from stylegan.editing.text_model import TextModel
    from stylegan.networks.generator import FamilyGenerator
    from stylegan.sampling.latent import Latent


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
@click.option(
    "--text", metavar="TEXT", help="What the images are to show, found by a search near each, or by --mapper."
)
@text_options
@click.option(
    "--num-steps", type=click.IntRange(min=1), default=300, show_default=True, help="Steps of the search by text."
)
@click.option(
    "--l2",
    type=click.FloatRange(min=0),
    default=0.008,
    show_default=True,
    help="Weight of the distance from the start in the search by text; larger values change less.",
)
@click.option(
    "--mapper",
    type=LocalPath(exists=True, dir_okay=False),
    metavar="FILE",
    help="Mapper that `stylegan directions mapper` wrote, which edits by text without a search.",
)
@click.option(
    "--strength", type=float, default=1.0, show_default=True, help="Strength of the mapper; negative is the opposite."
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
    directions: tuple[str, ...],
    layers: str | None,
    mix: str | None,
    arithmetic: str | None,
    text: str | None,
    from_text: str | None,
    text_model: str | None,
    download: bool,
    num_steps: int,
    l2: float,
    mapper: Path | None,
    strength: float,
    outdir: Path,
) -> None:
    """Write NAME-edited.png and NAME-edited.npz for every seed and latent."""
    from stylegan.editing.edit import combined, edit, mixed, parse_arithmetic
    from stylegan.editing.text_edit import TextSettings, edit_by_text
    from stylegan.networks.protocol import device_of

    start = time.perf_counter()
    if arithmetic and seeds:
        raise click.UsageError("--sum names its latents itself; leave out --seeds.")
    if not (directions or mix or arithmetic or text):
        click.echo("Note: nothing is changed without --direction, --mix, --text or --sum.", err=True)
    if mix and not layers:
        raise click.UsageError("--mix needs the layers that it changes; choose them with --layers, such as fine.")
    if text is None and (from_text or text_model or download or mapper):
        raise click.UsageError("--from, --text-model, --download and --mapper belong to --text; say what to show.")
    if mapper and layers:
        raise click.UsageError("a mapper changes all layers; leave out --layers, or search without --mapper.")
    G, folder = open_trained(network, device, tuned)
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
        if text is not None:
            model = open_text_model(text_model, download, device_of(G))
            if mapper:
                latents = _mapped(G, latents, model, text, from_text, mapper, strength)
            else:
                settings = TextSettings(steps=num_steps, l2=l2)
                with progress_of("Searching", num_steps * len(latents)) as watch:
                    found = edit_by_text(
                        G,
                        list(latents.values()),
                        model,
                        text,
                        source=from_text,
                        layers=rows,
                        settings=settings,
                        watch=watch,
                    )
                latents = dict(zip(latents, found, strict=True))
    write_results(G, latents, outdir, "-edited", start)


def _mapped(
    G: FamilyGenerator,
    latents: dict[str, Latent],
    model: TextModel,
    text: str,
    source: str | None,
    file: Path,
    strength: float,
) -> dict[str, Latent]:
    from stylegan.editing.delta_mapper import load_mapper
    from stylegan.editing.text_model import text_direction

    change = text_direction(model, text, *filter(None, [source]))
    mapper = load_mapper(file, G, model.identity)
    return {name: mapper.edit(G, latent, model.encode_images, change, strength) for name, latent in latents.items()}
