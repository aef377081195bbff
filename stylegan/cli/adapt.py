"""`stylegan adapt`: a network, and a text or a few images -> the network in their manner."""

from __future__ import annotations

import shlex
import time
from pathlib import Path
from typing import TYPE_CHECKING

import click

from stylegan.cli.latent_options import label_option, open_trained
from stylegan.cli.launch import main_only
from stylegan.cli.options import (
    LocalPath,
    device_option,
    fit_option,
    network_or_default_option,
    outdir_option,
    say_wrote,
    wrong_usage,
)
from stylegan.cli.text_options import open_text_model, progress_of, text_options

if TYPE_CHECKING:
    from stylegan.editing.adaptation import Domain
    from stylegan.networks.generator import FamilyGenerator

SEEDS = range(8)  # of the sheet
PSI = 0.7


@click.command("adapt")
@network_or_default_option
@click.option(
    "--images",
    type=LocalPath(exists=True),
    metavar="FOLDER",
    help="At least 3 images that have the manner in common and as little else as possible.",
)
@click.option(
    "--text", metavar="TEXT", help="What the network is to draw instead, such as 'a pencil sketch of a face'."
)
@text_options
@click.option(
    "--num-steps", type=click.IntRange(min=1), default=300, show_default=True, help="Steps of the optimization."
)
@click.option(
    "--layers-per-step",
    type=click.IntRange(min=1),
    metavar="LAYERS",
    help="Train only the layers that matter most in each step: few change shapes and keep more of the rest; all suit "
    "colors and textures.  [default: all]",
)
@fit_option
@label_option
@outdir_option
@device_option
@main_only
def command(
    network: Path | None,
    images: Path | None,
    text: str | None,
    from_text: str | None,
    text_model: str | None,
    download: bool,
    num_steps: int,
    layers_per_step: int | None,
    fit: str,
    label: str | None,
    outdir: Path,
    device: str,
) -> None:
    """Adapt a network to a few images or to a text, in the time of a coffee; its latents and directions stay valid.

    Writes adapted.safetensors, the change of the weights, which other verbs take as --tuned, and adapted.png: images
    of the network above those of the adapted one.
    """
    from stylegan.editing.adaptation import AdaptSettings, adapt, domain_of_text
    from stylegan.images.grid import make_grid
    from stylegan.images.png import make_folder, save_png
    from stylegan.inversion.pivotal import save_delta
    from stylegan.networks.protocol import device_of
    from stylegan.sampling.generate import generate

    start = time.perf_counter()
    if (images is None) == (text is None):
        raise click.UsageError("adaptation takes either a folder of images, with --images, or a text, with --text.")
    if images is not None and (from_text or text_model or download):
        raise click.UsageError("--from, --text-model and --download belong to --text; leave them out.")
    G, source = open_trained(network, device)
    with wrong_usage():
        if images is not None:
            domain = _domain_of_folder(G, images, fit, label)
        else:
            model = open_text_model(text_model, download, device_of(G))
            domain = domain_of_text(model, text or "", *filter(None, [from_text]))
        settings = AdaptSettings(steps=num_steps, layers_per_step=layers_per_step)
        with progress_of("Adapting", num_steps) as watch:
            adapted = adapt(G, domain, settings=settings, label=label, watch=watch)
        sheets = [generate(part, list(SEEDS), psi=PSI, label=label) for part in (G, adapted)]
    make_folder(outdir)
    file = outdir / "adapted.safetensors"
    save_delta(adapted, G, file)
    save_png(make_grid([*sheets[0], *sheets[1]], len(SEEDS), 2), outdir / "adapted.png")
    named = f"--network {shlex.quote(str(source))} " if network is not None else ""
    click.echo(f"Draw with it: stylegan generate {named}--tuned {shlex.quote(str(file))} --seeds 0-7 --trunc {PSI}")
    say_wrote(outdir, start)


def _domain_of_folder(G: FamilyGenerator, folder: Path, fit: str, label: str | None) -> Domain:
    from stylegan.editing.adaptation import domain_of_images
    from stylegan.editing.image_features import StyleFeatures
    from stylegan.inversion.target import read_targets
    from stylegan.networks.protocol import device_of

    return domain_of_images(G, StyleFeatures(device_of(G)), read_targets(folder, G, fit), label=label)
