"""`stylegan project`: images -> the latents from which a network draws them."""

from __future__ import annotations

import time
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from stylegan.cli.options import (
    LocalPath,
    device_option,
    fit_option,
    network_or_default_option,
    outdir_option,
    say_licence,
    say_wrote,
    switch,
    tuned_option,
    wrong_usage,
)
from stylegan.models import DEFAULT, bundled

if TYPE_CHECKING:
    from torch import Tensor

    from stylegan.networks.generator import FamilyGenerator

SPACES = ("w", "w+", "f", "pivotal")
VIDEO_FPS = 20
VIDEO_IMAGES = 100  # of the search, at most


@click.command("project")
@network_or_default_option
@tuned_option
@click.option(
    "--target",
    "targets",
    type=LocalPath(exists=True, dir_okay=False),
    multiple=True,
    required=True,
    metavar="FILE",
    help="Image to project, of any size. May be given several times.",
)
@fit_option
@click.option(
    "--space",
    type=click.Choice(SPACES),
    default="w+",
    show_default=True,
    help="w: one w, easiest to edit; w+: one for each layer, closer; f: a feature map changes too, closest; pivotal: "
    "one w, and the weights of the network are tuned to the images.",
)
@click.option(
    "--num-steps",
    "--steps",
    type=click.IntRange(min=0),
    help="Steps of the optimization; 0 keeps the start, an estimate or that of --encoder.  [default: 300, or 100 with "
    "--encoder]",
)
@click.option(
    "--encoder",
    type=LocalPath(exists=True),
    metavar="RUN|FOLDER",
    help="Start from the latents that an encoder of `stylegan train-encoder` finds, and take few and small steps.",
)
@click.option(
    "--mask",
    type=LocalPath(exists=True, dir_okay=False),
    metavar="FILE",
    help="Image that is white where the target is known, and black where the network is to fill it in.",
)
@click.option("--class", "label", metavar="LABEL", help="Label of the images, for a network with labels.")
@click.option("--seed", type=click.IntRange(min=0), default=303, show_default=True, help="Seed of the random steps.")
@switch("--save-video", default=False, help="Also write proj.webp: the target beside the search.")
@switch(
    "--published",
    default=False,
    help="Search with the settings of the official projector, which were made for 1000 steps.",
)
@outdir_option
@device_option
def command(
    network: Path | None,
    tuned: Path | None,
    targets: tuple[Path, ...],
    fit: str,
    space: str,
    num_steps: int | None,
    encoder: Path | None,
    mask: Path | None,
    label: str | None,
    seed: int,
    save_video: bool,
    published: bool,
    outdir: Path,
    device: str,
) -> None:
    """Find the latents whose images are closest to the given ones.

    Writes proj.png, target.png and projected_w.npz, into a folder for each image if there are several. The file can
    take the place of a seed: stylegan generate --seeds out/projected_w.npz
    """
    import torch

    from stylegan.checkpoints.open import drawing_generator, read
    from stylegan.images.png import make_folder, save_png
    from stylegan.images.video import save_video as write_video
    from stylegan.inversion.pivotal import load_delta, save_delta, tune
    from stylegan.inversion.projector import PUBLISHED, REFINING, ProjectorSettings, project, psnr
    from stylegan.inversion.target import read_mask, read_target
    from stylegan.machine.devices import resolve_device
    from stylegan.sampling.generate import draw
    from stylegan.sampling.latent_file import save_latent

    start = time.perf_counter()
    if network is None:
        click.echo(f"Projecting with {DEFAULT}, which ships with the library; choose another with --network.")
    source = network or bundled()[DEFAULT]
    checkpoint = read(source, to_draw=True)
    say_licence(checkpoint.licence, checkpoint.origin)
    original = drawing_generator(checkpoint, source).to(resolve_device(device))
    G = original if tuned is None else load_delta(original, tuned)
    images = torch.stack([read_target(target, G, fit) for target in targets])
    known = None if mask is None else read_mask(mask, G, fit)
    begin = None if encoder is None else _encoded(G, encoder, images, mask)
    usual = ProjectorSettings() if encoder is None else REFINING
    settings = replace(PUBLISHED if published else usual, steps=usual.steps if num_steps is None else num_steps)
    frames: list[Tensor] = []
    with wrong_usage(), _progress(settings.steps, space, frames if save_video else None) as watch:
        search = "w" if space == "pivotal" else space
        found = project(
            G, images, space=search, settings=settings, label=label, mask=known, start=begin, seed=seed, watch=watch
        )
        results, scores = found.images, found.psnr
        if space == "pivotal":
            fitted = tune(G, found.latents, images, label=label)
            results = torch.stack(list(draw(fitted, found.latents)))
            scores = psnr(results, images).tolist()
            make_folder(outdir)
            save_delta(fitted, original, outdir / "tuned.safetensors")
    folders = [outdir] if len(targets) == 1 else [outdir / f"{k:02d}-{t.stem}" for k, t in enumerate(targets)]
    for k, folder in enumerate(folders):
        make_folder(folder)
        save_png(images[k], folder / "target.png")
        save_png(results[k], folder / "proj.png")
        save_latent(found.latents[k], G, folder / "projected_w.npz")
        if frames:
            write_video([torch.cat([images[k], frame[k]], 2) for frame in frames], folder / "proj.webp", fps=VIDEO_FPS)
        click.echo(
            f"{targets[k]}: PSNR {scores[k]:.1f} dB; w is {found.typicality[k]:.2f} times as far from its mean as that "
            "of a random image."
        )
    say_wrote(outdir, start)


def _encoded(G: FamilyGenerator, encoder: Path, images: Tensor, mask: Path | None) -> Tensor:
    """Return the ws that an encoder finds for images, uint8 [N, C, R, R]. Raises: UsageError if it cannot see them."""
    from stylegan.images.pixels import to_float
    from stylegan.inversion.encoder import encode
    from stylegan.inversion.encoder_file import load_encoder
    from stylegan.networks.protocol import device_of

    loaded = load_encoder(encoder)
    if (task := loaded.settings.task.name) != "image":
        raise click.UsageError(f"the encoder sees inputs of the task {task}; use it with `stylegan translate`.")
    if mask is not None:
        raise click.UsageError("an encoder of whole images has no use for --mask; leave out one of the two.")
    device = device_of(G)
    with wrong_usage():
        return encode(G, loaded.to(device), to_float(images.to(device)))


class _progress:
    """Show a bar on a terminal while the search runs, and collect some of its images."""

    def __init__(self, steps: int, space: str, frames: list[Tensor] | None):
        self.total = steps + (max(steps // 2, 1) if space == "f" else 0)
        self.every, self.frames = max(-(-self.total // VIDEO_IMAGES), 1), frames

    def __enter__(self) -> Any:
        from rich.console import Console
        from rich.progress import Progress

        console = Console(stderr=True)
        self.bar = Progress(console=console, transient=True, disable=not console.is_terminal)
        self.bar.start()
        self.task = self.bar.add_task("Projecting", total=self.total)
        return self.watch

    def watch(self, step: int, images: Tensor) -> None:
        from stylegan.images.pixels import to_uint8

        self.bar.update(self.task, completed=step)
        if self.frames is not None and step % self.every == 0:
            self.frames.append(to_uint8(images).cpu())

    def __exit__(self, *_: Any) -> None:
        self.bar.stop()
