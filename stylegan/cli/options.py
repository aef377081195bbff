"""Options and parameter types that the verbs which draw images share."""

from __future__ import annotations

import functools
import math
import time
import warnings
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager, nullcontext
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from stylegan.errors import ConfigError

if TYPE_CHECKING:
    import torch
    from torch import Tensor

    from stylegan.data.dataset import Dataset
    from stylegan.machine.processes import World


class Seeds(click.ParamType):
    """Whole numbers and ranges, such as 0-3,7."""

    name = "range"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> list[int]:
        from stylegan.sampling.latents import parse_seeds

        try:
            return value if isinstance(value, list) else parse_seeds(value)
        except ConfigError as error:
            self.fail(str(error), param, ctx)


class Psis(click.ParamType):
    """One number or several, such as 0,0.5,1."""

    name = "psi"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> list[float]:
        try:
            psis = value if isinstance(value, list) else [float(part) for part in value.split(",")]
        except ValueError:
            psis = [math.nan]
        if not all(map(math.isfinite, psis)):
            self.fail(f"psi is a number such as 0.7, or several such as 0,0.5,1, got {value!r}.", param, ctx)
        return psis


class PathOrURL(click.Path):
    """A path, or a URL as it is."""

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> Any:
        return value if "://" in str(value) else super().convert(value, param, ctx)


class Psi(Psis):
    """Exactly one number."""

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> Any:
        psis = super().convert(str(value), param, ctx)
        if len(psis) != 1:
            self.fail(f"this verb takes one psi, got {value!r}; `stylegan generate` draws several.", param, ctx)
        return psis[0]


network_option = click.option(
    "--network",
    type=click.Path(exists=True, path_type=Path),
    required=True,
    metavar="FOLDER",
    help="A checkpoint, or a run of `stylegan train` (its newest snapshot).",
)
outdir_option = click.option(
    "--outdir",
    type=click.Path(path_type=Path),
    default="out",
    show_default=True,
    metavar="FOLDER",
    help="Where to write; made if it is missing.",
)
trunc_option = click.option(
    "--trunc",
    "psi",
    type=Psi(),
    default="1",
    show_default=True,
    help="0 = the average image, 1 = full variety; 0.7 is a good middle.",
)
device_option = click.option(
    "--device",
    default="auto",
    show_default=True,
    help="cpu, cuda, cuda:1, ...; auto takes a GPU if there is one.",
    metavar="DEVICE",
)
_SAMPLING_OPTIONS = [
    click.option(
        "--trunc-cutoff",
        "cutoff",
        type=click.IntRange(min=0),
        metavar="LAYERS",
        help="Truncate only the first so many layers.  [default: all]",
    ),
    click.option(
        "--class",
        "label",
        metavar="LABEL",
        help="For a network with labels: a class number or name; or values such as smile=1,hat=0.5 or 1,0,0.5.",
    ),
    click.option(
        "--trunc-center",
        "center",
        type=click.Choice(["global", "class"]),
        default="global",
        show_default=True,
        help="The average image of truncation: of all classes, as in the official tools, or of the class itself.",
    ),
    click.option(
        "--noise-mode",
        type=click.Choice(["const", "random", "none"]),
        default="const",
        show_default=True,
        help="Fine detail: the network's own, new in every run, or none.",
    ),
    click.option(
        "--batch",
        type=click.IntRange(min=1),
        default=8,
        show_default=True,
        metavar="IMAGES",
        help="How many to draw at a time; fewer need less memory.",
    ),
    device_option,
    click.option(
        "--precision",
        type=click.Choice(["auto", "fp32", "bf16", "fp16"]),
        default="auto",
        show_default=True,
        help="Of all but the lowest layers; auto is fp16 on a GPU, fp32 elsewhere.",
    ),
    click.option(
        "--compile",
        is_flag=True,
        help="Compile the network first: takes up to a minute, pays off for many images.",
    ),
]


def sampling_options(command: Callable) -> Callable:
    """How a network draws, whatever it draws: pass cutoff, label, noise_mode, batch, and instead of `network` and the
    options of how it computes `open_network`, which takes nothing and returns it."""

    @functools.wraps(command)
    def draws(*, network: Path, center: str, device: str, precision: str, compile: bool, **options: Any) -> Any:
        def open_as_told() -> Any:
            from stylegan.machine.devices import resolve_device
            from stylegan.machine.processes import from_environment

            return open_network(network, from_environment().place(resolve_device(device)), precision, compile, center)

        return command(open_network=open_as_told, **options)

    for option in reversed(_SAMPLING_OPTIONS):
        draws = option(draws)
    return draws


def video_options(default_dest: str) -> Callable:
    """How fast a loop goes and where it is written: fps, dest."""

    def add(command: Callable) -> Callable:
        command = click.option(
            "--dest",
            default=default_dest,
            show_default=True,
            metavar="FILE",
            help="A .gif, a .webp (smaller, all colors), or a folder for numbered PNG frames.",
        )(command)
        return click.option(
            "--fps",
            type=click.FloatRange(min=0, min_open=True),
            default=30,
            show_default=True,
            metavar="FPS",
            help="Images a second; a GIF shows at most 50.",
        )(command)

    return add


def open_network(network: Path, device: torch.device, precision: str, compile: bool, center: str = "global") -> Any:
    """The averaged generator of a checkpoint, made for drawing; `center` as in --trunc-center."""
    from stylegan.checkpoints import load
    from stylegan.machine.memory import keep_freed_memory
    from stylegan.sampling.class_center import ClassCentered

    keep_freed_memory()
    G = load(network, device=device).for_inference(precision, compile)
    return ClassCentered(G) if center == "class" else G


@contextmanager
def wrong_usage(option: str | None = None) -> Iterator[None]:
    """A ConfigError of the block becomes wrong usage, of `option` if that alone is to blame."""
    try:
        yield
    except ConfigError as error:
        if option is None:
            raise click.UsageError(str(error)) from error
        raise click.BadParameter(str(error), param_hint=f"'{option}'") from error


def with_progress(images: Iterable[Tensor], what: str, total: int) -> Iterator[Tensor]:
    """The same images, one by one or in batches, with a bar that a terminal shows while they come."""
    from rich.console import Console
    from rich.progress import track

    from stylegan.machine.processes import from_environment

    console = Console(stderr=True)
    hidden = not (console.is_terminal and from_environment().first)
    yield from track(images, what, total=total, console=console, transient=True, disable=hidden)


def fill_cache(dataset: Dataset, world: World) -> None:
    """Decode the images of a data set into the cache, once on every machine, and say so with progress."""

    def announced(images: Iterable[Any], what: str, total: int) -> Iterator[Any]:
        if world.first:
            click.echo(f"{what} ...", err=True)
        yield from with_progress(images, "Decoding", total)

    with world.in_turn(world.local_rank == 0), nullcontext() if world.first else warnings.catch_warnings():
        if not world.first:
            warnings.simplefilter("ignore")  # rank 0 gives the same warning
        dataset.fill_cache(announced)


def write_loop(images: Iterable[Tensor], total: int, dest: str, fps: float, since: float) -> None:
    """Write the images of a loop as they are drawn, and end the verb as `say_wrote` does."""
    from stylegan.images.video import save_video

    save_video(with_progress(images, "Drawing", total), dest, fps=fps)
    say_wrote(f"{dest} ({total} images, {total / fps:.1f} s long)", since)


def say_wrote(what: Path | str, since: float) -> None:
    """The line that ends a verb; `since` is the `time.perf_counter()` of its start."""
    click.echo(f"Wrote {what} in {time.perf_counter() - since:.1f} s.")
