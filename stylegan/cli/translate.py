"""`stylegan translate`: sketches, small images and other inputs -> images, by an encoder."""

from __future__ import annotations

import time
from pathlib import Path

import click

from stylegan.cli.latent_options import label_option, open_trained, parsed_layers, write_results
from stylegan.cli.options import (
    LocalPath,
    device_option,
    network_or_default_option,
    outdir_option,
    trunc_option,
    wrong_usage,
)
from stylegan.cli.points import Seeds


@click.command("translate")
@network_or_default_option
@click.option(
    "--encoder",
    type=LocalPath(exists=True),
    required=True,
    metavar="RUN|FOLDER",
    help="The encoder, from `stylegan train-encoder`: the folder of its run, or of one of its snapshots.",
)
@click.option(
    "--input",
    "files",
    type=LocalPath(exists=True, dir_okay=False),
    multiple=True,
    required=True,
    metavar="FILE",
    help="Image to translate, of any size; its largest centered square is used. May be given several times.",
)
@click.option(
    "--mask",
    type=LocalPath(exists=True, dir_okay=False),
    metavar="FILE",
    help="For the task inpaint: image that is white where the input is known, and black where it is to be filled in.",
)
@click.option("--styles", type=Seeds(), metavar="RANGE", help="Seeds of further images in other styles, such as 0-4.")
@click.option(
    "--layers",
    metavar="LAYERS",
    default="fine",
    show_default=True,
    help="Layers that a style controls: coarse, middle, fine, or numbers such as 7-9.",
)
@trunc_option
@label_option
@click.option("--passes", type=click.IntRange(min=0), metavar="N", help="Passes of the encoder.  [default: as trained]")
@click.option(
    "--steps",
    type=click.IntRange(min=0),
    metavar="N",
    help="Steps that fit the image to its input.  [default: 100, or 0 for the tasks labels and pairs]",
)
@outdir_option
@device_option
def command(
    network: Path | None,
    encoder: Path,
    files: tuple[Path, ...],
    mask: Path | None,
    styles: list[int] | None,
    layers: str,
    psi: float,
    label: str | None,
    passes: int | None,
    steps: int | None,
    outdir: Path,
    device: str,
) -> None:
    """Draw the images that belong to inputs: sketches, label maps, gray, small or incomplete images.

    Writes NAME.png and NAME.npz, its latent, for every input, and NAME-style0004.png for every seed of --styles, in
    which that seed controls the fine layers.
    """
    import torch

    from stylegan.inversion.encoder_file import load_encoder
    from stylegan.inversion.translate import read_input, translate
    from stylegan.networks.protocol import device_of

    start = time.perf_counter()
    G, _ = open_trained(network, device)
    loaded = load_encoder(encoder).to(device_of(G))
    chosen = parsed_layers(G, layers)
    with wrong_usage():
        read = [read_input(file, loaded, G, mask) for file in files]
        for file, one in zip(files, read, strict=True):
            for remark in one.remarks:
                click.echo(f"Note: {file}: {remark}.", err=True)
        pixels = torch.cat([one.pixels for one in read])
        found = translate(
            *(G, loaded, pixels, styles or ()), layers=chosen, label=label, psi=psi, passes=passes, steps=steps
        )
    names = [file.stem if len(files) == 1 else f"{k:02d}-{file.stem}" for k, file in enumerate(files)]
    suffixes = ["", *(f"-style{seed:04d}" for seed in styles or ())]
    results = {
        f"{name}{suffix}": latent
        for name, latents in zip(names, found, strict=True)
        for suffix, latent in zip(suffixes, latents, strict=True)
    }
    write_results(G, results, outdir, "", start)
