"""`stylegan train`: flags to a configuration, ticks to lines."""

from __future__ import annotations

import signal
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from stylegan.cli.launch import launched
from stylegan.cli.options import PathOrURL, wrong_usage
from stylegan.cli.train_config import is_checkpoint, new_config, resumed_config
from stylegan.cli.train_progress import ShowTicks, tick_line
from stylegan.errors import ConfigError, OutputError, StyleGANError

if TYPE_CHECKING:
    from stylegan.data.dataset import Dataset
    from stylegan.machine.processes import World
    from stylegan.training import TrainConfig

STOPPING = [getattr(signal, name) for name in ("SIGINT", "SIGTERM", "SIGUSR1") if hasattr(signal, name)]


def _keep(context: click.Context, parameter: click.Parameter, value: str | None) -> int | str | None:
    if value is None or value == "all":
        return value
    if value.isdecimal() and int(value):
        return int(value)
    raise click.BadParameter(f"expected a number of snapshots from 1, or all, got {value!r}.", param_hint="--keep")


def _metrics(context: click.Context, parameter: click.Parameter, value: str | None) -> list[str] | None:
    if value is None:
        return None
    return [] if value == "none" else [name.strip() for name in value.split(",")]


class _OrAuto(click.ParamType):
    """A number, or the word auto."""

    def __init__(self, number: click.ParamType):
        self.number, self.name = number, number.name

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> Any:
        return value if value == "auto" else self.number.convert(value, param, ctx)


@click.command()
@click.option(
    "--outdir",
    type=click.Path(path_type=Path),
    metavar="DIR",
    help="Where to make the folder of the run.  [default: runs]",
)
@click.option(
    "--data",
    type=PathOrURL(exists=True),
    metavar="ZIP|DIR|URL",
    help="A data set or the place of its shards, best from `stylegan dataset`.  [default: the embedded avatar faces]",
)
@click.option(
    "--cfg",
    metavar="NAME",
    help="Preset: auto; a generation, which is progan, stylegan1, stylegan2, stylegan3-t, stylegan3-r or minimal; "
    "paper256, paper512, paper1024, cifar; for a CPU cpu64, cpu32, tiny16, also as progan-cpu32, stylegan3-t-cpu64 "
    "...  [default: cpu32 or cpu64 on a CPU, else auto]",
)
@click.option(
    "--no-growing", is_flag=True, default=None, help="Train progan and stylegan1 at full size from the start."
)
@click.option("--cond", is_flag=True, default=None, help="Train on the labels of the data set too.")
@click.option("--workers", type=int, metavar="THREADS", help="Images to decode at the same time.  [default: 4]")
@click.option("--balanced", is_flag=True, default=None, help="With --cond: show every class equally often.")
@click.option("--mirror", is_flag=True, default=None, help="Add every image flipped left to right.")
@click.option("--subset", type=int, metavar="IMAGES", help="Train on so many only.")
@click.option("--kimg", type=float, metavar="KIMG", help="Stop after so many thousand images.")
@click.option(
    "--held-out",
    type=int,
    metavar="IMAGES",
    help="Keep so many from training, and report how much better D knows the others: overfitting.",
)
@click.option(
    "--batch",
    type=_OrAuto(click.INT),
    metavar="IMAGES|auto",
    help="Images per step; auto keeps the preset's and computes as many at once as memory allows.",
)
@click.option("--batch-gpu", type=int, metavar="IMAGES", help="Images computed at once; the rest accumulates.")
@click.option(
    "--gamma",
    type=_OrAuto(click.FLOAT),
    metavar="GAMMA|auto",
    help="Weight of the R1 penalty: higher is more careful; auto guesses from resolution and batch.",
)
@click.option(
    "--aug",
    type=click.Choice(["noaug", "ada", "fixed"]),
    help="Augmentation: none, adapted to overfitting, or fixed at --p.  [default: noaug for CPU presets, else ada]",
)
@click.option("--p", type=float, metavar="P", help="Probability of each augmentation with --aug fixed.")
@click.option("--target", type=float, metavar="SIGN", help="How sure D may be of real images with --aug ada.")
@click.option("--augpipe", metavar="NAME", help="Which augmentations: blit, geom, color, bg, bgc, ... bgcfnc.")
@click.option("--lr", type=float, metavar="RATE", help="Learning rate of both networks.")
@click.option("--glr", type=float, metavar="RATE", help="Of the generator alone.")
@click.option("--dlr", type=float, metavar="RATE", help="Of the discriminator alone.")
@click.option("--cbase", type=int, metavar="CHANNELS", help="Channels times resolution: the size of the networks.")
@click.option("--cmax", type=int, metavar="CHANNELS", help="Most channels of any layer.")
@click.option("--map-depth", type=int, metavar="LAYERS", help="Layers of the mapping network.")
@click.option("--mbstd-group", type=int, metavar="IMAGES", help="Group size of minibatch standard deviation.")
@click.option("--tick", type=float, metavar="KIMG", help="Between two lines of progress.")
@click.option("--snap", type=int, metavar="TICKS", help="Between two snapshots and image grids.")
@click.option(
    "--metrics",
    metavar="NAME[,NAME]|none",
    callback=_metrics,
    help="Score every snapshot, for example fid5k_efflite0, or eqt1k_frac of a StyleGAN3; RUN/best leads to the best "
    "one by the first of them.  [default: none]",
)
@click.option(
    "--keep",
    metavar="N|all",
    callback=_keep,
    help="Snapshots that can be resumed; older ones keep the network to draw with.  [default: 3]",
)
@click.option(
    "--milestones", type=float, metavar="KIMG", help="Of the older ones, one every so often can be resumed, too."
)
@click.option("--seed", type=int, metavar="NUMBER", help="Of all random numbers.")
@click.option(
    "--precision",
    type=click.Choice(["auto", "fp32", "bf16", "fp16"]),
    default=None,
    help="Of the high resolutions.  [default: auto, the fastest here]",
)
@click.option(
    "--compile",
    is_flag=True,
    default=None,
    help="Compile the networks with torch.compile: minutes at the start, then faster steps.",
)
@click.option("--allow-tf32", is_flag=True, default=None, help="Let a GPU round the factors of float32 products.")
@click.option("--device", metavar="NAME", help="cpu, cuda, cuda:1 ...  [default: auto]")
@click.option(
    "--config",
    "config_file",
    type=click.Path(exists=True, dir_okay=False, path_type=Path),
    metavar="YAML",
    help="Settings from a file; flags win over it.",
)
@click.option(
    "--set",
    "assignments",
    multiple=True,
    metavar="NAME=VALUE",
    help="Any other setting of --dry-run, for example generator.w_dim=256.",
)
@click.option(
    "--resume",
    type=click.Path(exists=True, path_type=Path),
    metavar="RUN|FILE",
    help="Go on with a run, in its folder and with its settings; --kimg may extend it, --keep and --metrics change. "
    "With --transfer, or where it is a checkpoint and no run: start a new run from those weights.",
)
@click.option("--transfer", is_flag=True, help="Start a new run from the weights of --resume.")
@click.option(
    "--freezed",
    type=click.IntRange(min=0),
    metavar="LAYERS",
    help="Keep the first so many layers of the discriminator as they are in those weights; 10 or 13 at 1024 px.",
)
@click.option(
    "--freeze-mapping",
    is_flag=True,
    default=None,
    help="Keep the mapping network of those weights: a seed keeps its w.",
)
@click.option(
    "--on-nan",
    type=click.Choice(["skip", "rollback", "stop"]),
    help="Bad values in gradients are replaced. Where they last or reach the weights: go back to the newest snapshot "
    "with other random numbers; skip never minds gradients, stop ends at the first.  [default: rollback]",
)
@click.option("--tensorboard", is_flag=True, help="Also write scalars and image grids for TensorBoard.")
@click.option("--force", is_flag=True, help="Start even if memory or disk look too small.")
@click.option("-n", "--dry-run", is_flag=True, help="Print the settings, and what memory and disk they need, and stop.")
@launched
def command(
    world: World,
    outdir: Path | None,
    resume: Path | None,
    transfer: bool,
    dry_run: bool,
    tensorboard: bool,
    force: bool,
    **flags: Any,
) -> None:
    """Train a GAN of any generation from images; a StyleGAN2 unless --cfg says otherwise.

    Without any option it trains on the embedded avatar faces. Ctrl-C, SIGTERM and SIGUSR1 stop with a snapshot,
    from which --resume goes on. With several GPUs: torchrun --standalone --nproc-per-node 8 -m stylegan train ...

    \b
    stylegan train --resume runs/00000-stylegan2-faces64-batch16-gamma2
    stylegan train --resume FILE_OR_RUN --transfer --data mine64.zip --freezed 4
    """
    import torch

    from stylegan.machine.memory import keep_freed_memory
    from stylegan.metrics.registry import parse
    from stylegan.runs.tensorboard import summary_writer
    from stylegan.training.replicas import micro_batch_size
    from stylegan.training.run import new_run_folder

    with wrong_usage():
        if transfer and resume is None:
            raise ConfigError("--transfer needs the weights to start from; add --resume FILE.")
        going_on = resume if resume and not transfer and not is_checkpoint(resume) else None
        report = ""
        with world.local_main_first():  # one of each machine decodes the images into the cache
            if going_on:
                config, dataset = resumed_config(going_on, {"outdir": outdir, **flags}, world)
            else:
                config, dataset, report = new_config(flags, resume, world)
        config_here = config.model_copy(update={"micro_batch": micro_batch_size(config, world.size)})
        if dry_run and world.is_main:
            click.echo(config.to_json(), nl=False)
            click.echo(report, err=True, nl=bool(report))
        if not force:
            _check_room(config_here, world, going_on, outdir, tell=dry_run and world.is_main)
    if dry_run:
        return
    if tensorboard:
        summary_writer()  # or tell what is missing
    for metric in config.metrics:
        parse(metric).load_detector()  # or tell what is missing
    keep_freed_memory()
    run = going_on or Path(
        world.run_once("run", lambda: str(new_run_folder(outdir or Path("runs"), config, dataset.name)))
    )
    try:
        if world.is_main:
            started = going_on is not None
            _run(config, dataset, run, world, going_on=started, report=report, tensorboard=tensorboard)
        else:
            _help(config, dataset, run, world)
    except torch.OutOfMemoryError as error:
        raise OutputError(f"the device ran out of memory ({error}); use a smaller --batch-gpu or network.") from error
    except StyleGANError:  # some are OSErrors too, and say more
        raise
    except OSError as error:
        raise OutputError(f"cannot write to {run}: {error.strerror or error}.") from error


def _check_room(config: TrainConfig, world: World, going_on: Path | None, outdir: Path | None, *, tell: bool) -> None:
    """Raises ConfigError if memory or disk are too small for what is left of the run; `tell` prints what it takes."""
    from stylegan.checkpoints.snapshots import kimg_of, snapshots
    from stylegan.machine.devices import resolve_device
    from stylegan.training.estimate import estimate, require_room

    done = next(map(kimg_of, snapshots(going_on)), 0) if going_on else 0
    needed = estimate(config, int(done * 1000))
    if tell:
        click.echo(needed, err=True)
    device = world.device_for(resolve_device(config.device))
    require_room(needed, device, going_on or outdir or Path("runs"), world.local_size)


def _run(
    config: TrainConfig, dataset: Dataset, run: Path, world: World, *, going_on: bool, report: str, tensorboard: bool
) -> None:
    """Train, show the ticks, stop on a signal. Leaves by SystemExit with the signal's conventional code."""
    from stylegan.checkpoints.snapshots import newest_snapshot, nimg_of
    from stylegan.files.atomic import write_text
    from stylegan.runs.best_effort import BestEffort
    from stylegan.runs.folder import mend_interrupted_writes
    from stylegan.runs.lock import locked
    from stylegan.runs.tensorboard import with_tensorboard
    from stylegan.training.loop import train

    with locked(run):
        if going_on:
            write_text(run / "config.json", config.to_json())
        mend_interrupted_writes(run)
    snapshot = newest_snapshot(run, to_resume=True)
    headline = f"New run in {run}"
    if report:
        headline += f" from the weights of {config.transfer.source}\n{report}"
    if going_on or snapshot is not None:  # a launcher may start the processes of a new run again
        headline = f"Going on with {run} from " + (
            f"{(nimg_of(snapshot) or 0) / 1000:.9g} kimg" if snapshot else "the start"
        )
    size = f"{dataset.resolution}x{dataset.resolution}, {dataset.channels} channel{'s' * (dataset.channels > 1)}"
    headline += (
        f"\n{len(dataset):,} images of {size}; cfg {config.cfg}, batch {config.batch}, gamma {config.r1_gamma:g}, "
        f"{config.precision}, {config.kimg:g} kimg. Ctrl-C stops with a snapshot."
    )
    best_effort = BestEffort()

    def log(line: str) -> None:
        with best_effort("log.txt"), (run / "log.txt").open("a", encoding="utf-8") as file:
            file.write(line + "\n")

    with _stop_on_signal(world) as (stop, received):
        log(headline)
        click.echo(headline)
        with ShowTicks(config) as show:
            ticks = train(config, run, dataset=dataset, snapshot=snapshot, stop=stop, world=world)
            for tick in with_tensorboard(ticks, run) if tensorboard else ticks:
                log(tick_line(tick))
                show(tick)
    if number := world.largest(max(received, default=0)):
        click.echo(f"Stopped. Go on with: stylegan train --resume {run}", err=True)
        sys.exit(128 + number)
    click.echo(f"Done. Draw images with: stylegan generate --network {run} --seeds 0-31 --grid auto --trunc 0.7")


def _help(config: TrainConfig, dataset: Dataset, run: Path, world: World) -> None:
    """What all ranks but the first do: the same training, without a word."""
    from stylegan.training.loop import train

    with _stop_on_signal(world) as (stop, received):
        for _ in train(config, run, dataset=dataset, stop=stop, world=world):
            pass
    if number := world.largest(max(received, default=0)):
        sys.exit(128 + number)


@contextmanager
def _stop_on_signal(world: World) -> Iterator[tuple[threading.Event, list[int]]]:
    """An event that Ctrl-C, SIGTERM (a shutdown) and SIGUSR1 (a cluster's queue) set, and the signals received.

    A second one stops at once, unless there is a launcher: it repeats signals, and ends by itself what does not stop.
    """
    stop: threading.Event = threading.Event()
    received: list[int] = []

    def on_signal(number: int, frame: object) -> None:
        if received and world.size == 1:
            raise KeyboardInterrupt
        if world.is_main and not received:
            click.echo("\nStopping after this step ...", err=True)
        received.append(number)
        stop.set()

    before = {number: signal.signal(number, on_signal) for number in STOPPING}
    try:
        yield stop, received
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
