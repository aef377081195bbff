"""`stylegan directions`: find directions in the latent spaces of a network, list them, and draw sheets of them."""

from __future__ import annotations

import time
from pathlib import Path
from typing import TYPE_CHECKING

import click

from stylegan.cli.latent_options import (
    chosen_latents,
    find_direction,
    label_option,
    latent_options,
    layers_option,
    open_trained,
    parsed_layers,
)
from stylegan.cli.launch import main_only
from stylegan.cli.options import (
    LocalPath,
    Numbers,
    device_option,
    network_or_default_option,
    outdir_option,
    say_wrote,
    tuned_option,
    with_progress,
    wrong_usage,
)
from stylegan.cli.text_options import model_options, open_text_model, progress_of, text_options
from stylegan.files.counted import counted
from stylegan.files.paths import local_path
from stylegan.models import bundled

if TYPE_CHECKING:
    from torch import Tensor

    from stylegan.editing.directions import Direction
    from stylegan.editing.text_model import TextModel
    from stylegan.networks.generator import FamilyGenerator

METHODS = ["pca", "features", "sefa", "style", "labels", "learned", "text"]


@click.group("directions")
def command() -> None:
    """Find directions of a network, list them, and draw sheets of them; `stylegan edit` applies them."""


@command.command("find")
@network_or_default_option
@tuned_option
@click.option(
    "--method",
    type=click.Choice(METHODS),
    default="pca",
    show_default=True,
    help="pca: principal components of w. features: of feature maps. sefa: from the weights alone. style: single "
    "channels of style space, by their effect or by labels. labels: along which an attribute grows, from --csv or "
    "--data. learned: styles that turn a label of --data on and off, by gradient descent. text: several channels of "
    "style space together, from --text and --from.",
)
@click.option(
    "--layers",
    metavar="LAYERS",
    help="Layers that the directions move: coarse, middle, fine, or numbers such as 0-6,9.  [default: all]",
)
@click.option("--count", type=click.IntRange(min=1), default=10, show_default=True, help="Directions to find.")
@click.option(
    "--csv",
    type=LocalPath(exists=True, dir_okay=False),
    metavar="FILE",
    help="Marked seeds, one line such as 17,1 for each, for the methods labels and style; the attribute is named "
    "like the file.",
)
@click.option(
    "--data",
    type=LocalPath(exists=True),
    metavar="FILE|FOLDER",
    help="Data set with labels, for the methods labels, learned and style; each label is an attribute.",
)
@click.option(
    "--samples",
    type=click.IntRange(min=10),
    default=2000,
    show_default=True,
    help="Random w to find the directions from; the method labels with --data draws their images.",
)
@click.option("--text", metavar="TEXT", help="What images are to show further along, for the method text.")
@text_options
@click.option(
    "--beta",
    type=click.FloatRange(0, 1),
    default=0.1,
    show_default=True,
    help="Least relevance to the text of a channel that moves; larger values change less beside it.",
)
@click.option("--orthogonal", is_flag=True, help="Take out of each direction what those in the file change already.")
@click.option(
    "--out",
    type=LocalPath(),
    default="directions.npz",
    show_default=True,
    metavar="FILE",
    help="File to write. Directions of this network that it holds are kept, except those of the same name.",
)
@label_option
@device_option
@main_only
def find(
    network: Path | None,
    tuned: Path | None,
    method: str,
    layers: str | None,
    count: int,
    csv: Path | None,
    data: Path | None,
    samples: int,
    text: str | None,
    from_text: str | None,
    text_model: str | None,
    download: bool,
    beta: float,
    orthogonal: bool,
    out: Path,
    label: str | None,
    device: str,
) -> None:
    """Find directions and write them to a file."""
    from stylegan.editing.direction_file import load_directions, save_directions
    from stylegan.editing.directions import orthogonal as orthogonal_to
    from stylegan.editing.find import find_directions
    from stylegan.inversion.w_statistics import random_ws

    start = time.perf_counter()
    if method == "labels" and (csv is None) == (data is None):
        raise click.UsageError("The method labels takes either marked seeds, with --csv, or a data set, with --data.")
    if method == "learned" and (csv is not None or data is None):
        raise click.UsageError("The method learned takes a data set with labels, with --data, and no marked seeds.")
    if method not in ("labels", "learned", "style") and (csv or data):
        raise click.UsageError(
            f"The method {method} takes no labels; choose --method labels, or leave out --csv and --data."
        )
    if (method == "text") != (text is not None):
        raise click.UsageError("The method text and the option --text belong together; give both or neither.")
    if method in ("text", "learned") and orthogonal:
        raise click.UsageError(
            f"--orthogonal is for directions in w, and the method {method} finds them in style space."
        )
    G, _ = open_trained(network, device, tuned)
    rows = parsed_layers(G, layers)
    older = load_directions(out, G) if out.exists() else {}
    with wrong_usage():
        w = random_ws(G, label, samples)[:, 0]
        if text is not None:
            found = [_of_text(G, w, text, from_text, beta, rows, open_text_model(text_model, download, w.device))]
        else:
            found = find_directions(G, w, method, count=count, layers=rows, csv=csv, data=data, label=label)
        if orthogonal:
            found = [orthogonal_to(direction, older.values(), w.cpu()) for direction in found]
    save_directions(list({**older, **{direction.name: direction for direction in found}}.values()), out)
    for direction in found:
        click.echo(_line(direction))
    say_wrote(f"{counted(len(found), 'direction')} to {out}", start)


def _of_text(
    G: FamilyGenerator, w: Tensor, text: str, source: str | None, beta: float, rows: list[int] | None, model: TextModel
) -> Direction:
    from stylegan.editing.styles import affine_layers, affine_matrix
    from stylegan.editing.text_direction import channel_effects, direction_of_text, name_of_text
    from stylegan.editing.text_model import text_direction

    goal = text_direction(model, text, *filter(None, [source]))
    total = sum(len(affine_matrix(G, name)) for name in affine_layers(G, rows))
    with progress_of("Measuring channels", total) as watch:
        effects = channel_effects(G, w, model.encode_images, layers=rows, watch=watch)
    return direction_of_text(G, w, effects, goal, name=name_of_text(text), beta=beta)


@command.command("mapper")
@network_or_default_option
@tuned_option
@model_options
@click.option(
    "--samples",
    type=click.IntRange(min=2),
    default=4000,
    show_default=True,
    help="Random images of the network, whose pairs the mapper learns from.",
)
@click.option("--num-steps", type=click.IntRange(min=1), default=2000, show_default=True, help="Steps of the training.")
@click.option(
    "--out", type=LocalPath(), default="mapper.safetensors", show_default=True, metavar="FILE", help="File to write."
)
@label_option
@device_option
@main_only
def mapper(
    network: Path | None,
    tuned: Path | None,
    text_model: str | None,
    download: bool,
    samples: int,
    num_steps: int,
    out: Path,
    label: str | None,
    device: str,
) -> None:
    """Train a mapper, which edits by any text without a search: `stylegan edit --text TEXT --mapper FILE`."""
    from stylegan.editing.delta_mapper import MapperSettings, save_mapper, train_mapper
    from stylegan.networks.protocol import device_of

    start = time.perf_counter()
    G, _ = open_trained(network, device, tuned)
    model = open_text_model(text_model, download, device_of(G))
    settings = MapperSettings(samples=samples, steps=num_steps)
    with wrong_usage(), progress_of("Training", num_steps) as watch:
        trained = train_mapper(
            G, model.encode_images, encoder=model.identity, settings=settings, label=label, watch=watch
        )
    save_mapper(trained, out)
    say_wrote(out, start)


@command.command("list")
@click.argument("source", metavar="FILE|NAME")
def list_command(source: str) -> None:
    """Print the directions of a file, or of a bundled network."""
    from stylegan.editing.direction_file import FILE, load_directions

    network = bundled().get(source)
    if network is None and not local_path(source).is_file():
        raise click.UsageError(
            f"{source} is not a file; give one that `stylegan directions find` wrote, or one of {', '.join(bundled())}."
        )
    for direction in load_directions(network / FILE if network else local_path(source)).values():
        click.echo(_line(direction))


@command.command("sheet")
@network_or_default_option
@latent_options
@click.option(
    "--direction",
    required=True,
    metavar="[FILE:]NAME",
    help="Direction to show; without FILE, one of those that come with the network.",
)
@click.option(
    "--strengths",
    type=Numbers(),
    default="-3,-1.5,0,1.5,3",
    show_default=True,
    metavar="NUMBERS",
    help="A column for each, in standard deviations.",
)
@layers_option
@outdir_option
@main_only
def sheet(
    network: Path | None,
    tuned: Path | None,
    seeds: list[int | Path] | None,
    psi: float,
    label: str | None,
    device: str,
    direction: str,
    strengths: list[float],
    layers: str | None,
    outdir: Path,
) -> None:
    """Write sheet-NAME.png: a row for each seed and latent, a column for each strength."""
    from stylegan.editing.edit import direction_sheet
    from stylegan.images.grid import make_grid
    from stylegan.images.png import make_folder, save_png

    start = time.perf_counter()
    G, folder = open_trained(network, device, tuned)
    found, rows = find_direction(G, folder, direction), parsed_layers(G, layers)
    latents = list(chosen_latents(G, seeds, psi, label).values())
    make_folder(outdir)
    images = direction_sheet(G, latents, found, strengths, layers=rows)
    with wrong_usage():
        total = len(latents) * len(strengths)
        sheet = make_grid(with_progress(images, "Drawing", total), len(strengths), len(latents))
    path = outdir / f"sheet-{found.name}.png"
    save_png(sheet, path)
    say_wrote(path, start)


def _line(direction: Direction) -> str:
    space = "style space" if direction.styles else "w"
    layers = "all layers" if direction.layers is None else f"layers {','.join(map(str, direction.layers))}"
    return ", ".join(
        part
        for part in (
            f"{direction.name}: {direction.method} in {space}",
            "" if direction.styles else layers,
            direction.note,
        )
        if part
    )
