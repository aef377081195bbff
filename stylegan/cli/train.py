"""`stylegan train`: flags to a configuration, ticks to lines."""

from __future__ import annotations

import signal
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click
import yaml
from rich.console import Console
from rich.progress import BarColumn, Progress, TextColumn, TimeElapsedColumn, TimeRemainingColumn

from stylegan.cli.launch import launched
from stylegan.errors import ConfigError, OutputError, StyleGANError

if TYPE_CHECKING:
    from stylegan.data.dataset import Dataset
    from stylegan.distributed import World
    from stylegan.training import Tick, TrainConfig

# Flag -> setting. The flags keep the names of the official tools.
SETTINGS = {
    "mirror": "data.mirror",
    "subset": "data.max_images",
    "held_out": "data.held_out",
    "cond": "data.labels",
    "balanced": "data.balanced",
    "batch": "batch",
    "batch_gpu": "micro_batch",
    "gamma": "r1_gamma",
    "kimg": "kimg",
    "tick": "tick_kimg",
    "snap": "snap_ticks",
    "seed": "seed",
    "map_depth": "generator.mapping_layers",
    "mbstd_group": "discriminator.mbstd_group_size",
    "precision": "precision",
    "compile": "compile",
    "allow_tf32": "allow_tf32",
    "device": "device",
    "aug": "augment.mode",
    "augpipe": "augment.pipe",
    "p": "augment.p",
    "target": "augment.target",
    "freezed": "discriminator.freeze_layers",
    "freeze_mapping": "transfer.freeze_mapping",
    "on_nan": "on_nan",
}


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
    type=click.Path(exists=True),
    metavar="ZIP|DIR",
    help="A data set, best from `stylegan dataset`.  [default: the embedded avatar faces]",
)
@click.option(
    "--cfg",
    metavar="NAME",
    help="Preset: auto, stylegan2, paper256, paper512, paper1024, cifar, or for a "
    "CPU cpu64, cpu32, tiny16.  [default: cpu32 or cpu64 on a CPU, else auto]",
)
@click.option("--cond", is_flag=True, default=None, help="Train on the labels of the data set too.")
@click.option("--balanced", is_flag=True, default=None, help="With --cond: show every class equally often.")
@click.option("--mirror", is_flag=True, default=None, help="Add every picture flipped left to right.")
@click.option("--subset", type=int, metavar="PICTURES", help="Train on so many only.")
@click.option("--kimg", type=float, metavar="KIMG", help="Stop after so many thousand pictures.")
@click.option(
    "--held-out",
    type=int,
    metavar="PICTURES",
    help="Keep so many from training, and report how much better D knows the others: overfitting.",
)
@click.option(
    "--batch",
    type=_OrAuto(click.INT),
    metavar="PICTURES|auto",
    help="Pictures per step; auto keeps the preset's and computes as many at once as memory allows.",
)
@click.option("--batch-gpu", type=int, metavar="PICTURES", help="Pictures computed at once; the rest accumulates.")
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
@click.option("--target", type=float, metavar="SIGN", help="How sure D may be of real pictures with --aug ada.")
@click.option("--augpipe", metavar="NAME", help="Which augmentations: blit, geom, color, bg, bgc, ... bgcfnc.")
@click.option("--lr", type=float, metavar="RATE", help="Learning rate of both networks.")
@click.option("--glr", type=float, metavar="RATE", help="Of the generator alone.")
@click.option("--dlr", type=float, metavar="RATE", help="Of the discriminator alone.")
@click.option("--cbase", type=int, metavar="CHANNELS", help="Channels times resolution: the size of the networks.")
@click.option("--cmax", type=int, metavar="CHANNELS", help="Most channels of any layer.")
@click.option("--map-depth", type=int, metavar="LAYERS", help="Layers of the mapping network.")
@click.option("--mbstd-group", type=int, metavar="PICTURES", help="Group size of minibatch standard deviation.")
@click.option("--tick", type=float, metavar="KIMG", help="Between two lines of progress.")
@click.option("--snap", type=int, metavar="TICKS", help="Between two snapshots and picture grids.")
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
    help="Go on with a run, in its folder and with its settings; --kimg may extend it. With --transfer, or where it is "
    "a checkpoint and no run: start a new run from those weights.",
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
@click.option("--tensorboard", is_flag=True, help="Also write scalars and picture grids for TensorBoard.")
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
    """Train a StyleGAN2 from pictures.

    Without any option it trains on the embedded avatar faces. Ctrl-C stops with a snapshot, from which --resume
    goes on. With several GPUs: torchrun --standalone --nproc-per-node 8 -m stylegan train ...

    \b
    stylegan train --resume runs/00000-stylegan2-faces64-batch16-gamma2
    stylegan train --resume FILE_OR_RUN --transfer --data mine64.zip --freezed 4
    """
    import torch

    from stylegan.checkpoints.native import newest_snapshot
    from stylegan.memory import keep_freed_memory
    from stylegan.training.replicas import micro_batch_size
    from stylegan.training.run_folder import new_run_folder, write_config
    from stylegan.training.tracking import summary_writer

    try:
        if transfer and resume is None:
            raise ConfigError("--transfer needs the weights to start from; add --resume FILE.")
        going_on = resume if resume and not transfer and not _is_checkpoint(resume) else None
        report = ""
        with world.in_turn(world.local_rank == 0):  # one of each machine decodes the pictures into the cache
            if going_on:
                config, dataset = _resumed(going_on, {"outdir": outdir, **flags})
            else:
                config, dataset, report = _new(flags, resume, world.size)
        config_here = config.model_copy(update={"micro_batch": micro_batch_size(config, world.size)})
        if dry_run and world.first:
            click.echo(config.to_json(), nl=False)
            click.echo(report, err=True, nl=bool(report))
        if not force:
            _check_room(config_here, world, going_on, outdir, tell=dry_run and world.first)
    except ConfigError as error:
        raise click.UsageError(str(error)) from error
    if dry_run:
        return
    if tensorboard:
        summary_writer()  # or tell what is missing
    keep_freed_memory()
    if going_on and world.first:
        write_config(going_on, config)
    run = going_on or Path(world.once("run", lambda: str(new_run_folder(outdir or Path("runs"), config, dataset.name))))
    try:
        if world.first:
            started = going_on is not None or newest_snapshot(run) is not None
            _run(config, dataset, run, world, going_on=started, report=report, tensorboard=tensorboard)
        else:
            _help(config, dataset, run, world)
    except torch.OutOfMemoryError as error:
        raise OutputError(f"the device ran out of memory ({error}); use a smaller --batch-gpu or network.") from error
    except StyleGANError:  # some are OSErrors too, and say more
        raise
    except OSError as error:
        raise OutputError(f"cannot write to {run}: {error.strerror or error}.") from error


def _is_checkpoint(source: Path) -> bool:
    """Weights without a run around them."""
    return source.is_file() or ((source / "config.json").is_file() and not (source / "snapshots").is_dir())


def _new(flags: dict[str, Any], start: Path | None, processes: int) -> tuple[TrainConfig, Dataset, str]:
    """The configuration of a new run: preset, then weights to start from, then --config, then flags, then --set.

    The third value says what the run takes over from those weights.
    """
    from stylegan.checkpoints.native import resolve_device
    from stylegan.networks.precision import best_precision
    from stylegan.training.config import data_config, from_preset
    from stylegan.training.estimate import largest_micro_batch
    from stylegan.training.loop import open_dataset
    from stylegan.training.transfer import open_start, transfer_report

    settings = {**_from_file(flags["config_file"]), **_from_flags(flags), **_from_assignments(flags["assignments"])}
    source = start or settings.get("transfer.source")
    checkpoint = None
    if source is not None:
        checkpoint, defaults, provenance = open_start(Path(source))
        settings = {**defaults, **settings, **provenance}
    cfg = settings.pop("cfg", None)
    device = resolve_device(settings.get("device", "auto"))
    if settings.get("precision", "auto") == "auto":
        settings["precision"] = best_precision(device)
    settings.setdefault("data.path", None)
    if settings["data.path"] is None:
        settings["data.path"] = _avatars(cfg)
    settings["data.path"] = str(Path(settings["data.path"]).resolve())
    data = data_config({k: settings.pop(k) for k in list(settings) if k.startswith("data.")})
    seed = settings.get("seed", 0)
    if not isinstance(seed, int):
        raise ConfigError(f"seed must be a whole number, got {seed!r}.")
    dataset = open_dataset(data, seed)
    fill_memory = settings.get("batch") == "auto"
    if fill_memory:
        del settings["batch"]
    config = from_preset(
        cfg or _default_cfg(dataset.resolution, device.type),
        data=data,
        resolution=dataset.resolution,
        channels=dataset.channels,
        label_dim=dataset.label_dim,
        gpus=processes,
        changes=settings,
    )
    if fill_memory:
        config = largest_micro_batch(config, device, processes)
    return config, dataset, transfer_report(checkpoint, config) if checkpoint else ""


def _resumed(run: Path, flags: dict[str, Any]) -> tuple[TrainConfig, Dataset]:
    """The configuration that `run` was started with; only its length, its machine and the place of its data change."""
    from stylegan.data.dataset import default_cache
    from stylegan.training.config import changed, read_config
    from stylegan.training.loop import check_fits, open_dataset

    given = {k for k, v in flags.items() if v not in (None, ())}
    refused = given - {"kimg", "device", "data", "on_nan"}
    if refused:
        names = ", ".join("--" + name.removesuffix("_file").replace("_", "-") for name in sorted(refused))
        raise click.UsageError(f"--resume keeps the settings of the run; leave out {names}, or start a new run.")
    if not (run / "snapshots").is_dir() or not (run / "config.json").is_file():
        raise ConfigError(f"{run} is not the folder of a run, which holds config.json and snapshots.")
    config = read_config(run / "config.json")
    changes: dict[str, Any] = {name: flags[name] for name in given - {"data"}}
    if flags["data"] is not None:
        changes["data"] = {**config.data.model_dump(), "path": str(Path(flags["data"]).resolve())}
    elif Path(config.data.path).parent == default_cache() / "data" and not Path(config.data.path).exists():
        _avatars(config.cfg)  # a cache may be emptied
    config = changed(config, changes)
    dataset = open_dataset(config.data, config.seed)
    check_fits(config, dataset)
    return config, dataset


def _from_flags(flags: dict[str, Any]) -> dict[str, Any]:
    for flag, mode in (("p", "fixed"), ("target", "ada")):
        if flags[flag] is not None and flags["aug"] != mode:
            raise click.UsageError(f"--{flag} means something with --aug {mode} only; add that, or leave it out.")
    settings = {setting: flags[flag] for flag, setting in SETTINGS.items() if flags[flag] is not None}
    for flag, names in (
        ("cfg", ["cfg"]),
        ("data", ["data.path"]),
        ("lr", ["g_lr", "d_lr"]),
        ("glr", ["g_lr"]),
        ("dlr", ["d_lr"]),
        ("cbase", ["generator.channel_base", "discriminator.channel_base"]),
        ("cmax", ["generator.channel_max", "discriminator.channel_max"]),
    ):
        if flags[flag] is not None:
            settings |= dict.fromkeys(names, flags[flag])
    return settings


def _from_file(path: Path | None) -> dict[str, Any]:
    """Settings by dotted name, from YAML with groups; the config.json of a run is such a file too."""
    if path is None:
        return {}
    try:
        content = yaml.safe_load(path.read_text(encoding="utf-8")) or {}
    except (OSError, ValueError, yaml.YAMLError) as error:
        raise ConfigError(f"{path} is not readable YAML: {str(error).splitlines()[0]}.") from error
    if not isinstance(content, dict):
        raise ConfigError(f"{path} must hold settings such as `batch: 16`, got {type(content).__name__}.")
    settings: dict[str, Any] = {}
    for name, value in content.items():
        settings |= {f"{name}.{k}": v for k, v in value.items()} if isinstance(value, dict) else {name: value}
    return settings


def _from_assignments(assignments: tuple[str, ...]) -> dict[str, Any]:
    settings = {}
    for assignment in assignments:
        name, equals, value = assignment.partition("=")
        if not equals or not name:
            raise click.BadParameter(f"expected NAME=VALUE such as batch=16, got {assignment!r}.", param_hint="--set")
        try:
            settings[name.strip()] = yaml.safe_load(value)
        except yaml.YAMLError as error:
            raise click.BadParameter(f"{value!r} is not a value in YAML.", param_hint="--set") from error
    return settings


def _avatars(cfg: str | None) -> Path:
    """The embedded faces at the resolution that the preset wants, prepared once into the cache folder."""
    from stylegan.data.dataset import default_cache
    from stylegan.data.prepare import prepare
    from stylegan.data.samples import avatars
    from stylegan.networks.presets import PRESETS

    resolution = PRESETS[cfg].resolution if cfg in PRESETS else None
    if resolution in (None, 64):
        return avatars()
    path = default_cache() / "data" / f"avatars{resolution}.zip"
    if not path.exists():
        path.parent.mkdir(parents=True, exist_ok=True)
        prepare(avatars(), path, resolution=resolution)
    return path


def _default_cfg(resolution: int, device: str) -> str:
    return {16: "tiny16", 32: "cpu32", 64: "cpu64"}.get(resolution, "auto") if device == "cpu" else "auto"


def _check_room(config: TrainConfig, world: World, going_on: Path | None, outdir: Path | None, *, tell: bool) -> None:
    """Raises ConfigError if memory or disk are too small for what is left of the run; `tell` prints what it takes."""
    from stylegan.checkpoints.native import resolve_device
    from stylegan.training.estimate import estimate, require_room

    done = max((int(p.name) for p in going_on.glob("snapshots/[0-9]*")), default=0) if going_on else 0
    needed = estimate(config, done * 1000)
    if tell:
        click.echo(needed, err=True)
    require_room(needed, world.place(resolve_device(config.device)), going_on or outdir or Path("runs"))


def _run(
    config: TrainConfig, dataset: Dataset, run: Path, world: World, *, going_on: bool, report: str, tensorboard: bool
) -> None:
    """Train, show the ticks, stop on a signal. Leaves by SystemExit with the signal's conventional code."""
    from stylegan.checkpoints.native import newest_snapshot
    from stylegan.training.loop import train
    from stylegan.training.run_folder import mend_interrupted_writes
    from stylegan.training.tracking import with_tensorboard

    mend_interrupted_writes(run)
    snapshot = newest_snapshot(run)
    headline = f"New run in {run}"
    if report:
        headline += f" from the weights of {config.transfer.source}\n{report}"
    if going_on:
        headline = f"Going on with {run} from " + (f"{snapshot.name} kimg" if snapshot else "the start")
    size = f"{dataset.resolution}x{dataset.resolution}, {dataset.channels} channel{'s' * (dataset.channels > 1)}"
    headline += (
        f"\n{len(dataset):,} pictures of {size}; cfg {config.cfg}, batch {config.batch}, gamma {config.r1_gamma:g}, "
        f"{config.precision}, {config.kimg:g} kimg. Ctrl-C stops with a snapshot."
    )
    with (run / "log.txt").open("a", encoding="utf-8") as log, _stop_on_signal(world) as (stop, received):
        log.write(headline + "\n")
        click.echo(headline)
        with _progress(config) as show:
            ticks = train(config, run, dataset=dataset, stop=stop, world=world)
            for tick in with_tensorboard(ticks, run) if tensorboard else ticks:
                log.write(tick_line(tick) + "\n")
                log.flush()
                show(tick)
    if number := world.largest(max(received, default=0)):
        click.echo(f"Stopped. Go on with: stylegan train --resume {run}", err=True)
        sys.exit(128 + number)
    click.echo(f"Done. Draw pictures with: stylegan generate --network {run} --seeds 0-31 --grid auto --trunc 0.7")


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
    """An event that Ctrl-C and SIGTERM set, and the numbers of the signals received. A second one stops at once,
    unless there is a launcher: it repeats signals, and ends by itself what does not stop.
    """
    stop: threading.Event = threading.Event()
    received: list[int] = []

    def on_signal(number: int, frame: object) -> None:
        if received and world.size == 1:
            raise KeyboardInterrupt
        if world.first and not received:
            click.echo("\nStopping after this step ...", err=True)
        received.append(number)
        stop.set()

    before = {number: signal.signal(number, on_signal) for number in (signal.SIGINT, signal.SIGTERM)}
    try:
        yield stop, received
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


class _progress:
    """A way to show ticks: a live bar on a terminal, the official tick line elsewhere."""

    def __init__(self, config: TrainConfig):
        self.console = Console()
        self.bar = Progress(
            TextColumn("{task.description}"),
            BarColumn(),
            TextColumn("{task.percentage:3.0f}%"),
            TimeElapsedColumn(),
            TextColumn("left"),
            TimeRemainingColumn(elapsed_when_finished=True),
            console=self.console,
            speed_estimate_period=86400,  # ticks can lie minutes apart
        )
        self.config = config

    def __enter__(self) -> Callable[[Tick], None]:
        if not self.console.is_terminal:
            return lambda tick: click.echo(tick_line(tick))
        self.bar.start()
        task = self.bar.add_task("starting", total=self.config.kimg * 1000)

        def show(tick: Tick) -> None:
            speed = f"{1000 / tick.sec_per_kimg:.0f} pictures/s"
            self.bar.update(task, completed=tick.nimg, description=f"{tick.nimg / 1000:.1f} kimg, {speed}")
            if tick.grid is not None:
                self.bar.console.print(f"{tick.nimg / 1000:8.1f} kimg  wrote {tick.grid}", highlight=False)

        return show

    def __exit__(self, *error: object) -> None:
        self.bar.stop()


def tick_line(tick: Tick) -> str:
    """The line that the official trainers print, which scripts read."""
    return "  ".join(
        [
            f"tick {tick.tick:<5d}",
            f"kimg {tick.nimg / 1000:<8.1f}",
            f"time {_duration(tick.seconds):<12s}",
            f"sec/tick {tick.tick_seconds:<7.1f}",
            f"sec/kimg {tick.sec_per_kimg:<7.2f}",
            f"maintenance {tick.maintenance_seconds:<6.1f}",
            f"cpumem {tick.cpu_gb:<6.2f}",
            f"gpumem {tick.gpu_gb:<6.2f}",
            f"augment {tick.augment_p:.3f}",
        ]
    ).rstrip()


def _duration(seconds: float) -> str:
    s = round(seconds)
    if s < 60:
        return f"{s}s"
    if s < 3600:
        return f"{s // 60}m {s % 60:02d}s"
    if s < 86400:
        return f"{s // 3600}h {s // 60 % 60:02d}m {s % 60:02d}s"
    return f"{s // 86400}d {s // 3600 % 24:02d}h {s // 60 % 60:02d}m"
