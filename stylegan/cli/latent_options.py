"""Options of the verbs that change latents: the network as it was trained, seeds or files, and directions."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import click

from stylegan.cli.options import device_option, read_generator, say_wrote, trunc_option, tuned_option, wrong_usage
from stylegan.cli.points import Points
from stylegan.files.counted import counted
from stylegan.files.paths import local_path
from stylegan.models import DEFAULT, bundled, shown

if TYPE_CHECKING:
    from stylegan.editing.directions import Direction
    from stylegan.networks.generator import FamilyGenerator
    from stylegan.sampling.latent import Latent

label_option = click.option(
    "--class",
    "label",
    metavar="LABEL",
    help="Label of the seeds, for a network with labels, as in `stylegan generate`.",
)
layers_option = click.option(
    "--layers",
    metavar="LAYERS",
    help="Layers to change: coarse, middle, fine, or numbers such as 0-6,9.  [default: those of the direction]",
)


def latent_options(command: Callable) -> Callable:
    """Add the options that choose latents: --tuned, --seeds, --trunc, --class and --device."""
    options = [
        tuned_option,
        click.option(
            "--seeds",
            type=Points(),
            help="Seeds to start from, for example 0-3,7. A file of latents (.npz) or an image, which is projected "
            "first, can take the place of a seed.",
        ),
        trunc_option,
        label_option,
        device_option,
    ]
    for option in reversed(options):
        command = option(command)
    return command


def open_trained(network: Path | None, device: str, tuned: Path | None = None) -> tuple[FamilyGenerator, Path]:
    """Return the averaged generator of a checkpoint, not prepared for inference, with its path.

    network: None for the bundled one.
    tuned: a change of its weights.
    """
    from stylegan.machine.devices import resolve_device

    if network is None:
        click.echo(f"Drawing with {DEFAULT}, which ships with the library; choose another with --network.")
    source = network or bundled()[DEFAULT]
    return read_generator(source, tuned=tuned).to(resolve_device(device)), source


def chosen_latents(
    G: FamilyGenerator, points: list[int | Path] | None, psi: float, label: str | None
) -> dict[str, Latent]:
    """Return the latents of seeds and files by the names of their images. Raises: UsageError for none."""
    from stylegan.cli.points import resolve
    from stylegan.sampling.generate import to_latents

    if not points:
        raise click.UsageError("Name what to start from with --seeds, such as 0-3 or out/projected_w.npz.")
    with wrong_usage():
        resolved = resolve(G, points, label)
        latents = to_latents(G, [point.seed for point in resolved], psi=psi, label=label)
    return dict(zip((point.name for point in resolved), latents, strict=True))


def one_latent(G: FamilyGenerator, text: str, psi: float, label: str | None) -> Latent:
    """Return the latent of a seed such as 17, or the first of a file. Raises: UsageError for anything else."""
    points = Points().convert(text, None, None)
    if len(points) != 1:
        raise click.UsageError(f"expected one seed or file, got {text!r}; a sum has spaces, as in '1 - 2 + 3'.")
    return next(iter(chosen_latents(G, points, psi, label).values()))


def find_direction(G: FamilyGenerator, network: Path, text: str) -> Direction:
    """Return the direction FILE:NAME, or NAME from the file that comes with the network.

    Raises: UsageError for a name that the file does not have.
    """
    from stylegan.editing.direction_file import FILE, load_directions

    file, _, name = text.rpartition(":")
    path = local_path(file) if file else network / FILE
    if not path.is_file():
        where = f"{path} does not exist" if file else f"{shown(network)} comes without directions"
        raise click.UsageError(f"{where}; write FILE:NAME with a file that `stylegan directions find` wrote.")
    directions = load_directions(path, G)
    if name not in directions:
        owner = path if file else shown(network)
        raise click.UsageError(f"{owner} has no direction {name!r}; it has {', '.join(directions)}.")
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


def write_results(G: FamilyGenerator, latents: dict[str, Latent], outdir: Path, suffix: str, since: float) -> None:
    """Write an image and a latent for each name into a folder, then print the line of `say_wrote`."""
    from stylegan.images.png import make_folder, save_png
    from stylegan.sampling.generate import draw
    from stylegan.sampling.latent_file import save_latent

    make_folder(outdir)
    for name, image in zip(latents, draw(G, latents.values(), names=latents), strict=True):
        save_png(image, outdir / f"{name}{suffix}.png")
        save_latent(latents[name], G, outdir / f"{name}{suffix}.npz")
    latent_files = "its latent" if len(latents) == 1 else "their latents"
    say_wrote(f"{counted(len(latents), 'image')} and {latent_files} to {outdir}", since)
