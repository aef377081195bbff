"""`stylegan train-encoder`: a network becomes an encoder of images, or of what is left of them."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

import click

from stylegan.cli.options import LocalPath, Network, PathOrURL, say_licence, wrong_usage
from stylegan.cli.stopping import stopped_by_signal
from stylegan.cli.train_progress import ShowTicks


@click.command("train-encoder")
@click.option(
    "--network",
    type=Network(),
    metavar="FILE|FOLDER|NAME",
    help="The network whose latents it finds: a checkpoint of any generation, a run, or a name that `stylegan models` "
    "lists.  [default: avatars64]",
)
@click.option(
    "--data",
    type=PathOrURL(exists=True),
    metavar="ZIP|DIR|URL",
    help="Images to train on beside those that the network draws, in its size; from `stylegan dataset`.",
)
@click.option(
    "--inputs",
    type=LocalPath(exists=True),
    metavar="ZIP|DIR",
    help="Inputs of the same file names as the images of --data, for the tasks labels and pairs.",
)
@click.option(
    "--task",
    metavar="NAME",
    help="What the encoder sees: image; or for image-to-image sketch (edges), gray, superres (few pixels), inpaint "
    "(holes), labels (color maps of --inputs), pairs (any images of --inputs).  [default: image]",
)
@click.option("--input-px", type=int, metavar="PX", help="Pixels per side of the input of superres.  [default: 8]")
@click.option(
    "--space",
    type=click.Choice(["w", "w+"]),
    help="w: one w, always typical of the network; w+: one for each layer, closer.  [default: w+]",
)
@click.option("--passes", type=int, metavar="N", help="Changes of the first latent.  [default: 2]")
@click.option("--class", "label", metavar="LABEL", help="Label of the network's images.  [default: all classes]")
@click.option("--kimg", type=float, metavar="KIMG", help="Length, in thousands of images.  [default: 16]")
@click.option("--batch", type=int, metavar="IMAGES", help="Images per step.  [default: 8]")
@click.option("--lr", type=float, metavar="RATE", help="Highest learning rate.  [default: 0.003]")
@click.option(
    "--tick", "tick_kimg", type=float, metavar="KIMG", help="Thousands of images between lines.  [default: 1]"
)
@click.option("--snap", "snap_ticks", type=int, metavar="TICKS", help="Ticks between snapshots.  [default: 4]")
@click.option("--seed", type=int, metavar="NUMBER", help="Seed of all random numbers.  [default: 0]")
@click.option("--device", metavar="NAME", help="cpu, cuda, cuda:1 ...  [default: auto]")
@click.option("--outdir", type=LocalPath(), metavar="DIR", help="Where to make the folder of the run.  [default: runs]")
@click.option("--resume", type=LocalPath(exists=True), metavar="RUN", help="Resume a run, with its settings.")
def command(network: Path | None, outdir: Path | None, resume: Path | None, **settings: Any) -> None:
    """Train an encoder, which finds the latent of an image within a few passes.

    It learns from images that the network draws, whose latents are known, and from those of --data. The run has
    snapshots and a page as one of `stylegan train`. Ctrl-C stops with a snapshot, which --resume continues.

    \b
    stylegan train-encoder --network avatars64 --data faces64.zip
    stylegan project --encoder runs/00000-encoder-image-avatars64-batch8 --target photo.png
    stylegan train-encoder --network avatars64 --task sketch
    stylegan translate --encoder runs/00001-encoder-sketch-avatars64-batch8 --input sketch.png --styles 0-4
    """
    from stylegan.checkpoints.commands import stylegan_command
    from stylegan.models import DEFAULT
    from stylegan.training.encoder import resume_encoder, train_encoder
    from stylegan.training.encoder.run import line_of

    given = {name: value for name, value in settings.items() if value is not None}
    with wrong_usage():
        if resume is not None:
            if given or network or outdir:
                raise click.UsageError("--resume continues a run with its settings; leave out the other options.")
            run = resume_encoder(resume)
        else:
            source = DEFAULT if network is None else network
            run = train_encoder(source, outdir or Path("runs"), **given)
    say_licence(run.licence, run.origin)
    click.echo(f"{run.headline} Ctrl-C stops with a snapshot.")
    with stopped_by_signal(run.stop) as received, ShowTicks(run.config.kimg, line_of) as show:
        for tick in run:
            show(tick)
    if received:
        resumed = stylegan_command("train-encoder", "--resume", run.folder)
        click.echo(f"Stopped. Resume with: {resumed}", err=True)
        sys.exit(128 + max(received))
    image = run.config.task == "image"
    verb, files = ("project", ("--target", "photo.png")) if image else ("translate", ("--input", "input.png"))
    named = () if network is None else ("--network", network)
    click.echo(f"Done. Use it with: {stylegan_command(verb, *named, '--encoder', run.folder, *files)}")
