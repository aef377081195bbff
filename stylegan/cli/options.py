"""Options, parameter types and output that several verbs share."""

from __future__ import annotations

import functools
import math
import time
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from stylegan.cli.messages import with_flags
from stylegan.errors import CheckpointError, ConfigError
from stylegan.files.counted import counted
from stylegan.files.paths import local_path
from stylegan.models import DEFAULT, bundled, find

if TYPE_CHECKING:
    import torch
    from torch import Tensor

    from stylegan.machine.processes import World
    from stylegan.networks.generator import FamilyGenerator


class Numbers(click.ParamType):
    """One number or several, such as 0,0.5,1."""

    name = "numbers"
    expected = "expected numbers such as -2,0,2"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> list[float]:
        try:
            numbers = value if isinstance(value, list) else [float(part) for part in value.split(",")]
        except ValueError:
            numbers = [math.nan]
        if not all(map(math.isfinite, numbers)):
            self.fail(f"{self.expected}, got {value!r}.", param, ctx)
        return numbers


class Psis(Numbers):
    """One value of the truncation psi or several, such as 0,0.5,1."""

    name = "psi"
    expected = "psi is a number such as 0.7, or several such as 0,0.5,1"


class LocalPath(click.Path):
    """A path, in which a leading ~ is the home folder: a shell leaves it as it is in --dest=~/x.zip."""

    def __init__(self, *, exists: bool = False, dir_okay: bool = True):
        super().__init__(exists=exists, dir_okay=dir_okay, path_type=Path)

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> Any:
        return super().convert(local_path(value), param, ctx)


class PathOrURL(LocalPath):
    """A path, which is checked, or a URL, which is passed on unchanged."""

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> Any:
        return value if "://" in str(value) else super().convert(value, param, ctx)


class Network(click.ParamType):
    """A path of a checkpoint of any kind, or the name of a bundled network, which becomes the path of its folder."""

    name = "network"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> Path:
        try:
            return find(value)
        except CheckpointError as error:
            self.fail(with_flags(str(error)), param, ctx)


class Psi(Psis):
    """Exactly one number."""

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> Any:
        psis = super().convert(str(value), param, ctx)
        if len(psis) != 1:
            self.fail(f"this verb takes one psi, got {value!r}; `stylegan generate` draws several.", param, ctx)
        return psis[0]


def switch(*names: str, **settings: Any) -> Callable:
    """Return an option that is on when it is given alone, and takes 1, 0, true or false as in the official tools."""
    return click.option(*names, type=click.BOOL, is_flag=False, flag_value="true", metavar="", **settings)


_NETWORK = (
    "The network: a checkpoint of this library or a file of another tool, the folder of a run, whose newest snapshot "
    "is used, or a name that `stylegan models` lists."
)
network_option = click.option("--network", type=Network(), required=True, metavar="FILE|FOLDER|NAME", help=_NETWORK)
network_or_default_option = click.option(
    "--network", type=Network(), metavar="FILE|FOLDER|NAME", help=f"{_NETWORK}  [default: {DEFAULT}]"
)
tuned_option = click.option(
    "--tuned",
    type=LocalPath(exists=True, dir_okay=False),
    metavar="FILE",
    help="Change of the weights of the network that `stylegan project --space pivotal` or `stylegan adapt` wrote.",
)
fit_option = click.option(
    "--fit",
    type=click.Choice(["crop", "pad", "face"]),
    default="crop",
    show_default=True,
    help="How an image becomes square: crop takes the largest centered square, pad keeps all and repeats its edges, "
    "and face cuts out the largest face that is found, as in CelebA-HQ and FFHQ.",
)
outdir_option = click.option(
    "--outdir",
    type=LocalPath(),
    default="out",
    show_default=True,
    metavar="FOLDER",
    help="Folder to write to; it is created if it does not exist.",
)
trunc_option = click.option(
    "--trunc",
    "psi",
    type=Psi(),
    default="1",
    show_default=True,
    help="Truncation psi: 0 gives the average image, 1 the full variety, and 0.7 is a good compromise.",
)
device_option = click.option(
    "--device",
    default="auto",
    show_default=True,
    help="Device to compute on: cpu, cuda, cuda:1, mps, ...; auto uses a GPU if the machine has one.",
    metavar="DEVICE",
)
precision_option = click.option(
    "--precision",
    type=click.Choice(["auto", "fp32", "bf16", "fp16"]),
    default="auto",
    show_default=True,
    help="Number format of all but the lowest-resolution layers; auto is fp16 on a CUDA GPU, fp32 elsewhere.",
)
engine_option = click.option(
    "--engine",
    type=click.Choice(["auto", "torch", "openvino"]),
    default="auto",
    show_default=True,
    help="What draws on a CPU: torch is PyTorch, openvino its extra, and auto what finishes this number of images "
    "soonest by times measured on this machine, compiled or not. Their images differ by at most one step of 255.",
)
_SAMPLING_OPTIONS = [
    tuned_option,
    click.option(
        "--trunc-cutoff",
        "cutoff",
        type=click.IntRange(min=0),
        metavar="LAYERS",
        help="Truncate only the first LAYERS layers.  [default: all]",
    ),
    click.option(
        "--class",
        "label",
        metavar="LABEL",
        help="Label to draw, for a network with labels: a class by number or name, or values such as smile=1,hat=0.5 "
        "or 1,0,0.5.",
    ),
    click.option(
        "--trunc-center",
        "center",
        type=click.Choice(["global", "class"]),
        default="global",
        show_default=True,
        help="The average that truncation moves towards: that of all classes, as in the official tools, or that of the "
        "class itself.",
    ),
    click.option(
        "--noise-mode",
        type=click.Choice(["const", "random", "none"]),
        default="const",
        show_default=True,
        help="Noise inputs for fine detail: const is stored in the network, random changes every time, none is zero.",
    ),
    click.option(
        "--batch",
        type=click.IntRange(min=1),
        default=8,
        show_default=True,
        metavar="IMAGES",
        help="Images to draw at a time; fewer need less memory.",
    ),
    device_option,
    precision_option,
    engine_option,
    switch(
        "--compile",
        default=False,
        help="Compile the network first, whatever the number of images; this takes up to a minute.",
    ),
]


def sampling_options(command: Callable) -> Callable:
    """Add the options of drawing to a verb.

    The verb receives cutoff, label, noise_mode and batch as they are; and, for `network` and the options of how it
    computes, one function `open_network` that opens it on the device of a World, by default that of a lone process.
    Given lists of points, it returns them resolved behind the network. Given the number of images to come, it may
    choose another form of the network for them. Without `network` it opens the bundled network `DEFAULT` and prints a
    line that says so.
    """

    @functools.wraps(command)
    def draws(
        *,
        network: Path | None,
        tuned: Path | None,
        center: str,
        device: str,
        precision: str,
        engine: str,
        compile: bool,
        **options: Any,
    ) -> Any:
        def open_it(world: World | None = None, *points: list[int | Path], images: int = 0) -> Any:
            from stylegan.machine.devices import resolve_device

            def prepare(G: FamilyGenerator) -> Any:
                drawing = {"batch": options["batch"], "noise_mode": options["noise_mode"]}
                return inference_form(G, precision, engine, compile, images=images, **drawing)

            if network is None and (world is None or world.is_main):
                click.echo(f"Drawing with {DEFAULT}, which ships with the library; choose another with --network.")
            folder = network or bundled()[DEFAULT]
            place = resolve_device(device)
            spot = world.device_for(place) if world else place
            G, *resolved = open_network(folder, spot, prepare, center, world, points, options["label"], tuned)
            if options["noise_mode"] == "random" and not G.synthesis.has_noise and (world is None or world.is_main):
                click.echo("Note: --noise-mode random changes nothing: this network has no noise inputs.", err=True)
            return (G, *resolved) if points else G

        return command(open_network=open_it, **options)

    for option in reversed(_SAMPLING_OPTIONS):
        draws = option(draws)
    return draws


def video_options(default_dest: str) -> Callable:
    """Add the options of a written loop to a verb, which receives fps and dest."""

    def add(command: Callable) -> Callable:
        command = click.option(
            "--dest",
            default=default_dest,
            show_default=True,
            metavar="FILE",
            help="File to write: a .gif, a .webp (smaller, with all colors), an .mp4 (extra `song`), or a folder for "
            "numbered PNG frames.",
        )(command)
        return click.option(
            "--fps",
            type=click.FloatRange(min=0, min_open=True),
            default=30,
            show_default=True,
            metavar="FPS",
            help="Images per second; a GIF shows at most 50.",
        )(command)

    return add


def open_network(
    network: Path,
    device: torch.device,
    prepare: Callable[[FamilyGenerator], Any],
    center: str = "global",
    world: World | None = None,
    points: Sequence[list[int | Path]] = (),
    label: str | None = None,
    tuned: Path | None = None,
) -> list[Any]:
    """Return the averaged generator of a checkpoint, then each list of points resolved for it.

    The generator has the inference form that `prepare` makes unless a latent changes its layers or its noise. `center`
    is that of --trunc-center. The first process of a World prints the licence of the weights.
    """
    from stylegan.cli.points import resolve
    from stylegan.machine.memory import keep_freed_memory
    from stylegan.sampling.class_center import ClassCentered

    keep_freed_memory()
    plain = read_generator(network, world, tuned).to(device)
    resolved = [resolve(plain, part, label) for part in points]
    changed = any(not (isinstance(p.seed, int) or p.seed.is_plain) for part in resolved for p in part)
    G: Any = plain if changed else prepare(plain)
    return [ClassCentered(G) if center == "class" else G, *resolved]


def inference_form(
    G: FamilyGenerator,
    precision: str,
    engine: str,
    compile: bool = False,
    *,
    images: int = 0,
    batch: int,
    noise_mode: str,
) -> Any:
    """Return the inference form that options name; with the engine auto, the one that draws `images` images soonest.

    A line says which was chosen and why, if others than the uncompiled form were ever measured.
    """
    if engine != "auto" or compile:
        return G.for_inference(precision, compile, "torch" if engine == "auto" else engine)
    from stylegan.inference.choice import fastest_form

    choice = fastest_form(G, images, precision=precision, batch=batch, noise_mode=noise_mode)
    if choice.reason:
        click.echo(choice.reason, err=True)
    return choice.G


def read_generator(network: Path, world: World | None = None, tuned: Path | None = None) -> FamilyGenerator:
    """Return the averaged generator of a checkpoint, with the change of its weights in the file `tuned`.

    The first process of a World prints the licence of the weights.
    """
    from stylegan.checkpoints.open import drawing_generator, read
    from stylegan.inversion.pivotal import load_delta

    checkpoint = read(network, to_draw=True)
    if world is None or world.is_main:
        say_licence(checkpoint.licence, checkpoint.origin)
    G = drawing_generator(checkpoint, network)
    return G if tuned is None else load_delta(G, tuned)


@contextmanager
def wrong_usage(option: str | None = None, typed: Mapping[str, str] | None = None) -> Iterator[None]:
    """Turn a ConfigError of the block into a usage error, of `option` if that option alone can cause it.

    Args:
        typed: how the user spelled settings, see `with_flags`.
    """
    try:
        yield
    except ConfigError as error:
        if option is None:
            raise click.UsageError(with_flags(str(error), typed)) from error
        raise click.BadParameter(with_flags(str(error)), param_hint=f"'{option}'") from error


def with_progress(images: Iterable[Tensor], what: str, total: int, *, show: bool = True) -> Iterator[Tensor]:
    """Yield the same images, one by one or in batches, while a terminal shows a progress bar, unless not `show`."""
    from rich.console import Console
    from rich.progress import track

    console = Console(stderr=True)
    hidden = not (show and console.is_terminal)
    yield from track(images, what, total=total, console=console, transient=True, disable=hidden)


def with_announcement(images: Iterable[Any], what: str, total: int) -> Iterator[Any]:
    """Yield the same images after a line that says what begins, while a terminal shows a progress bar."""
    click.echo(f"{what} ...", err=True)
    yield from with_progress(images, "Decoding", total)


def write_loop(
    images: Iterable[Tensor], total: int, dest: str, fps: float, since: float, sound: Path | None = None
) -> None:
    """Write the images of a loop while they are drawn, then print the line of `say_wrote`."""
    from stylegan.images.video import save_video

    save_video(with_progress(images, "Drawing", total), dest, fps=fps, sound=sound)
    say_wrote(f"{dest} ({counted(total, 'image')}, {total / fps:.1f} s long)", since)


def say_licence(licence: str | None, origin: str | None) -> None:
    """Print a licence of weights that is not that of this library, once per command."""
    said = click.get_current_context().meta.setdefault("stylegan.licences", {None, "Apache-2.0"})
    if licence not in said:
        said.add(licence)
        click.echo(f"Licence of the weights: {licence}. Origin: {origin or 'not stated'}.", err=True)


def say_wrote(what: Path | str, since: float) -> None:
    """Print what the verb wrote and how long it took; `since` is the `time.perf_counter()` of its start."""
    click.echo(f"Wrote {what} in {time.perf_counter() - since:.1f} s.")
