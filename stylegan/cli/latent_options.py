"""Options of the verbs that change latents: the network as it was trained, seeds or files, and directions."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from stylegan.cli.options import LocalPath, Seeds, device_option, trunc_option, wrong_usage
from stylegan.files.paths import local_path
from stylegan.models import DEFAULT, bundled

if TYPE_CHECKING:
    from stylegan.editing.directions import Direction
    from stylegan.networks.generator import FamilyGenerator
    from stylegan.sampling.latent import Latent

FILE_OF_NETWORK = "directions.npz"  # in the folder of a checkpoint
label_option = click.option(
    "--class",
    "label",
    metavar="LABEL",
    help="Label of the seeds, for a network with labels, as in `stylegan generate`.",
)


def latent_options(command: Callable) -> Callable:
    """Add the options that choose latents: --seeds, --latent, --trunc, --class and --device."""
    options = [
        click.option("--seeds", type=Seeds(), help="Seeds to start from, for example 0-3,7."),
        click.option(
            "--latent",
            "files",
            type=LocalPath(exists=True, dir_okay=False),
            multiple=True,
            metavar="FILE",
            help="File of latents to start from, an .npz; it may be given more than once.",
        ),
        trunc_option,
        label_option,
        device_option,
    ]
    for option in reversed(options):
        command = option(command)
    return command


def open_trained(network: Path | None, device: str) -> tuple[FamilyGenerator, Path]:
    """Return the averaged generator of a checkpoint as it was trained, with its path; by default the bundled one."""
    from stylegan.checkpoints import load
    from stylegan.machine.devices import resolve_device

    if network is None:
        click.echo(f"Drawing with {DEFAULT}, which ships with the library; choose another with --network.")
        network = bundled()[DEFAULT]
    return load(network, device=resolve_device(device)), network


def chosen_latents(
    G: FamilyGenerator, seeds: Sequence[int] | None, files: Sequence[Path], psi: float, label: str | None
) -> dict[str, Latent]:
    """Return the latents of seeds and files by the name that their images get. Raises: UsageError for none."""
    from stylegan.sampling.latent import seed_latents
    from stylegan.sampling.latent_file import load_latents

    if not seeds and not files:
        raise click.UsageError("Name what to start from, with --seeds or --latent.")
    found: dict[str, Latent] = {}
    if seeds:
        with wrong_usage():
            latents = seed_latents(G, seeds, psi=psi, label=label)
        found |= {f"seed{seed:04d}": latent for seed, latent in zip(seeds, latents, strict=True)}
    for file in files:
        latents = load_latents(file, G)
        found |= {f"{file.stem}{i or ''}": latent for i, latent in enumerate(latents)}
    return found


def one_latent(G: FamilyGenerator, text: str, psi: float, label: str | None) -> Latent:
    """Return the latent of a seed such as 17, or the first of a file. Raises: UsageError for anything else."""
    if text.isascii() and text.isdecimal():
        return next(iter(chosen_latents(G, [int(text)], [], psi, label).values()))
    file = local_path(text)
    if not file.is_file():
        raise click.UsageError(f"{text} is neither a seed nor a file of latents.")
    return next(iter(chosen_latents(G, None, [file], psi, label).values()))


def find_direction(G: FamilyGenerator, network: Path, text: str) -> Direction:
    """Return the direction FILE:NAME, or NAME from the file that comes with the network.

    Raises: UsageError for a name that the file does not have.
    """
    from stylegan.editing.direction_file import load_directions

    file, _, name = text.rpartition(":")
    path = local_path(file) if file else network / FILE_OF_NETWORK
    if not path.is_file():
        where = f"{path} does not exist" if file else f"{network} comes without directions"
        raise click.UsageError(f"{where}; write FILE:NAME with a file that `stylegan directions find` wrote.")
    directions = load_directions(path, G)
    if name not in directions:
        raise click.UsageError(f"{path} has no direction {name!r}; it has {', '.join(directions)}.")
    return directions[name]


def strengths_of(G: FamilyGenerator, network: Path, texts: Sequence[str]) -> list[tuple[Direction, float]]:
    """Return the directions and strengths of [FILE:]NAME=STRENGTH. Raises: UsageError for any other text."""
    found = []
    for text in texts:
        name, equals, number = text.rpartition("=")
        try:
            strength = float(number) if equals else math.nan
        except ValueError:
            strength = math.nan
        if not math.isfinite(strength):
            raise click.UsageError(f"--direction is written [FILE:]NAME=STRENGTH, such as smile=2, got {text!r}.")
        found.append((find_direction(G, network, name), strength))
    return found


def parsed_layers(G: FamilyGenerator, text: str | None) -> list[int] | None:
    """Return the layers that a text names, None for none. Raises: BadParameter."""
    from stylegan.sampling.mixing import parse_styles

    if text is None:
        return None
    with wrong_usage("--layers"):
        return parse_styles(text, G.num_ws)


def write_results(G: FamilyGenerator, latents: dict[str, Latent], outdir: Path, suffix: str, batch: int = 8) -> Any:
    """Write an image and a latent for each name into a folder."""
    from stylegan.images.png import make_folder, save_png
    from stylegan.sampling.latent import draw_latents
    from stylegan.sampling.latent_file import save_latent

    make_folder(outdir)
    for name, image in zip(latents, draw_latents(G, latents.values(), batch=batch), strict=True):
        save_png(image, outdir / f"{name}{suffix}.png")
        save_latent(latents[name], outdir / f"{name}{suffix}.npz")
