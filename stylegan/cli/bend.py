"""`stylegan bend`: a network and changes of its feature maps -> the images that it draws with them."""

from __future__ import annotations

import time
from pathlib import Path

import click

from stylegan.cli.latent_options import chosen_latents, latent_options, open_trained
from stylegan.cli.launch import main_only
from stylegan.cli.options import LocalPath, network_or_default_option, outdir_option, say_wrote, wrong_usage
from stylegan.files.counted import counted


@click.command("bend")
@network_or_default_option
@latent_options
@click.option(
    "--bend",
    "texts",
    multiple=True,
    metavar="LAYER:NAME=VALUE[,...]",
    help="Change of all feature maps of a layer, such as b8.conv1:turn=20: x and y (shift in image widths), turn "
    "(degrees), zoom, multiply, noise (in deviations) and seed. It may be given more than once.",
)
@click.option(
    "--bends",
    "file",
    type=LocalPath(exists=True, dir_okay=False),
    metavar="JSON",
    help="Changes that the Bend tab of the studio saved; they come first.",
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
    texts: tuple[str, ...],
    file: Path | None,
    outdir: Path,
) -> None:
    """Write NAME-bent.png for every seed and latent."""
    from stylegan.editing.bend import bent, load_bends, parse_bend
    from stylegan.images.png import make_folder, save_png
    from stylegan.sampling.generate import draw

    start = time.perf_counter()
    with wrong_usage("--bend"):
        bends = [*(load_bends(file) if file else []), *map(parse_bend, texts)]
    if not bends:
        raise click.UsageError("Name what to change with --bend or --bends.")
    G, _ = open_trained(network, device, tuned)
    latents = chosen_latents(G, seeds, psi, label)
    with wrong_usage(), bent(G, bends):
        images = list(draw(G, latents.values(), names=latents))
    make_folder(outdir)
    for name, image in zip(latents, images, strict=True):
        save_png(image, outdir / f"{name}-bent.png")
    say_wrote(f"{counted(len(images), 'image')} to {outdir}", start)
