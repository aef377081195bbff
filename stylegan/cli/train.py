"""`stylegan train`: turns flags into a run, and ticks into lines."""

from __future__ import annotations

import sys
from contextlib import nullcontext
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from stylegan.cli.feature_options import feature_options, fetched
from stylegan.cli.launch import gpus_option, launched
from stylegan.cli.messages import with_flags
from stylegan.cli.options import (
    LocalPath,
    Network,
    PathOrURL,
    say_licence,
    switch,
    with_announcement,
    wrong_usage,
)
from stylegan.cli.stopping import stopped_by_signal
from stylegan.cli.train_config import new_settings, resumed_settings, spelled
from stylegan.cli.train_progress import ShowTicks
from stylegan.errors import ConfigError

if TYPE_CHECKING:
    from stylegan.machine.processes import World
    from stylegan.training.plan import Plan
    from stylegan.training.run import Run


def _keep(context: click.Context, parameter: click.Parameter, value: str | None) -> int | str | None:
    if value is None or value == "all":
        return value
    if value.isdecimal() and len(value) < 10 and int(value):
        return int(value)
    raise click.BadParameter(f"expected a number of snapshots from 1, or all, got {value!r}.", param_hint="--keep")


def _metrics(context: click.Context, parameter: click.Parameter, value: str | None) -> list[str] | None:
    if value is None:
        return None
    return [] if value.lower() == "none" else [name.strip() for name in value.split(",")]


class _OrAuto(click.ParamType):
    """A number or the word auto."""

    def __init__(self, number: click.ParamType):
        self.number, self.name = number, number.name

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> Any:
        return value if value == "auto" else self.number.convert(value, param, ctx)


@click.command()
@click.option(
    "--outdir",
    type=LocalPath(),
    metavar="DIR",
    help="Where to make the folder of the run.  [default: runs]",
)
@click.option(
    "--data",
    type=PathOrURL(exists=True),
    metavar="ZIP|DIR|URL",
    help="A data set, or the location of its shards, from `stylegan dataset`.  [default: the embedded avatar faces]",
)
@click.option(
    "--cfg",
    metavar="NAME",
    help="Preset: auto; a generation, which is progan, stylegan1, stylegan2, stylegan3-t, stylegan3-r, minimal or "
    "r3gan; paper256, paper512, paper1024, cifar; for a CPU cpu64, cpu32, tiny16, also as progan-cpu32, "
    "stylegan3-t-cpu64 ...  [default: cpu32 or cpu64 on a CPU, else auto]",
)
@click.option(
    "--no-growing", is_flag=True, default=None, help="Train progan and stylegan1 at full resolution from the start."
)
@click.option(
    "--discriminator",
    type=click.Choice(["own", "projected"]),
    help="That of the generation, or a projected one, which sees images through a trained network and brings its own "
    "loss, augmentation and blur.  [default: own]",
)
@switch("--cond", help="Train conditionally on the labels of the data set.")
@click.option("--workers", type=int, metavar="THREADS", help="Threads that decode images.  [default: 4]")
@switch("--balanced", help="With --cond, show every class equally often.")
@switch("--mirror", help="Add every image flipped left to right.")
@switch("--mirror-y", help="Add every image flipped upside down, also those of --mirror.")
@click.option("--subset", type=int, metavar="IMAGES", help="Train on a random subset of this size.")
@click.option("--kimg", type=float, metavar="KIMG", help="Length of the training, in thousands of real images.")
@click.option(
    "--held-out",
    type=int,
    metavar="IMAGES",
    help="Images to leave out of training, to measure how much better D knows the others (overfitting).",
)
@click.option(
    "--batch",
    type=_OrAuto(click.INT),
    metavar="IMAGES|auto",
    help="Images per step; auto takes that of the preset, and computes as many at once as memory allows.",
)
@click.option(
    "--batch-gpu", type=int, metavar="IMAGES", help="Images computed at once; gradients accumulate over the batch."
)
@click.option(
    "--gamma",
    type=_OrAuto(click.FLOAT),
    metavar="GAMMA|auto",
    help="Weight of the R1 penalty; higher is more stable. auto estimates it from resolution, batch and width. "
    "(R2: --set r2_gamma=GAMMA)",
)
@click.option(
    "--aug",
    type=click.Choice(["noaug", "ada", "fixed", "diffaugment"]),
    help="Augmentation: none, adaptive, fixed at --p, or color, translation and cutout for every image.  "
    "[default: that of the preset; noaug for a CPU]",
)
@click.option("--p", type=float, metavar="P", help="Probability of each augmentation, with --aug fixed.")
@click.option(
    "--target", type=float, metavar="SIGN", help="Mean sign of D's logits of real images to aim at, with --aug ada."
)
@click.option("--augpipe", metavar="NAME", help="Augmentations to use: blit, geom, color, bg, bgc, ... bgcfnc.")
@click.option("--lr", type=float, metavar="RATE", help="Learning rate of both networks.")
@click.option("--glr", type=float, metavar="RATE", help="Learning rate of the generator.")
@click.option("--dlr", type=float, metavar="RATE", help="Learning rate of the discriminator.")
@click.option(
    "--cbase", type=int, metavar="CHANNELS", help="Channels times resolution, which sets the width of both networks."
)
@click.option("--cmax", type=int, metavar="CHANNELS", help="Upper limit of the channels of a layer.")
@click.option("--map-depth", type=int, metavar="LAYERS", help="Number of layers of the mapping network.")
@click.option("--mbstd-group", type=int, metavar="IMAGES", help="Group size of minibatch standard deviation.")
@click.option("--tick", type=float, metavar="KIMG", help="Thousands of images between two lines of progress.")
@click.option("--snap", type=int, metavar="TICKS", help="Ticks between two snapshots and image grids.")
@click.option(
    "--metrics",
    metavar="NAME[,NAME]|none",
    callback=_metrics,
    help="Score every snapshot, for example with fid5k_efflite0, or eqt1k_frac for a StyleGAN3; RUN/best links to the "
    "best one by the first of them.  [default: none]",
)
@feature_options
@click.option(
    "--keep",
    metavar="N|all",
    callback=_keep,
    help="Number of snapshots that can be resumed; older ones keep the generator only.  [default: 3]",
)
@click.option(
    "--milestones",
    type=float,
    metavar="KIMG",
    help="Keep one older snapshot resumable in every interval of this length.",
)
@click.option("--seed", type=int, metavar="NUMBER", help="Seed of all random numbers.  [default: 0]")
@click.option(
    "--precision",
    type=click.Choice(["auto", "fp32", "bf16", "fp16"]),
    default=None,
    help="Precision of the high resolutions; auto is the fastest on this machine.  [default: auto]",
)
@click.option(
    "--compile",
    flag_value="auto",
    default=None,
    help="Compile the networks with torch.compile, which takes minutes, and train with them if their steps are faster.",
)
@switch("--allow-tf32", help="Let a GPU round the factors of float32 products.")
@click.option("--device", metavar="NAME", help="cpu, cuda, cuda:1 ...  [default: auto]")
@click.option(
    "--config",
    "config_file",
    type=LocalPath(exists=True, dir_okay=False),
    metavar="YAML",
    help="Read settings from a file; flags override it.",
)
@click.option(
    "--set",
    "assignments",
    multiple=True,
    metavar="NAME=VALUE",
    help="Set any setting that --dry-run prints, for example generator.w_dim=256.",
)
@click.option(
    "--resume",
    type=Network(),
    metavar="RUN|FILE|NAME",
    help="Resume a run, in its folder and with its settings. Its length, what it writes and measures, and how it "
    "computes may change: --kimg, --snap, --keep, --metrics, --batch-gpu, --precision ... "
    "With --transfer, or for a checkpoint or snapshot, which may be a file of another tool, start a new run from its "
    "weights, on the data of its run unless --data names another.",
)
@switch("--transfer", default=False, help="Start a new run from the weights of --resume.")
@click.option(
    "--freezed",
    type=click.IntRange(min=0),
    metavar="LAYERS",
    help="Number of first layers of the discriminator that are not trained, for example 10 or 13 at 1024 px.",
)
@switch(
    "--freeze-mapping",
    help="Do not train the mapping network, so that every seed keeps its w.",
)
@click.option(
    "--on-nan",
    type=click.Choice(["skip", "rollback", "stop"]),
    help="NaN and infinity in gradients are replaced. If they last or reach the weights, rollback returns to the "
    "newest snapshot with other random numbers; skip ignores gradients; stop ends the run at once.  "
    "[default: rollback]",
)
@switch("--tensorboard", default=False, help="Also write scalars and image grids for TensorBoard.")
@switch("--force", default=False, help="Start even if memory or disk seem too small.")
@click.option(
    "-n",
    "--dry-run",
    is_flag=True,
    help="Print the settings, and the memory and disk that they need, without training.",
)
@click.option("--desc", default="", metavar="WORDS", help="Words to add to the name of the folder of the run.")
@gpus_option
@launched
def command(
    world: World,
    outdir: Path | None,
    resume: Path | None,
    transfer: bool,
    dry_run: bool,
    tensorboard: bool,
    force: bool,
    desc: str,
    **flags: Any,
) -> None:
    """Train a GAN of any generation on images; a StyleGAN2 unless --cfg names another.

    Without options it trains on the embedded avatar faces. Ctrl-C, SIGTERM and SIGUSR1 stop with a snapshot, which
    --resume continues. With several GPUs: torchrun --standalone --nproc-per-node 8 -m stylegan train ...

    \b
    stylegan train --resume runs/00000-stylegan2-faces64-batch8-gamma2
    stylegan train --resume FILE_OR_RUN --transfer --data mine64.zip --freezed 4
    """
    from stylegan.checkpoints.commands import stylegan_command
    from stylegan.data.pixels import untracked
    from stylegan.training.plan import is_checkpoint, new_plan, resumed_plan
    from stylegan.training.run import begin

    if flags["feature_net"] is not None:
        fetched(flags["feature_net"], world)
    with wrong_usage(typed=spelled(flags)):
        if transfer and resume is None:
            raise ConfigError("--transfer needs weights to start from; add --resume FILE.")
        if resume is None or transfer or is_checkpoint(resume):
            plan = new_plan(new_settings(flags), resume, world)
        else:
            if desc:
                raise ConfigError("--resume continues a run in its folder, which keeps its name; leave out --desc.")
            plan = resumed_plan(resume, resumed_settings({"outdir": outdir, **flags}, resume), world)
        outdir = outdir or Path("runs")
        if world.is_main and plan.folder is None:
            say_licence(plan.config.transfer.licence, plan.config.transfer.origin)
        if dry_run:
            plan.snapshot_to_resume()
            _show(plan)
            if not force:
                plan.require_room(outdir)
            return
        track = with_announcement if world.is_main else untracked
        run = begin(plan, outdir, tensorboard=tensorboard, force=force, desc=desc, track=track)
    echo = click.echo if world.is_main else _silently
    echo(f"{with_flags(run.headline)} Ctrl-C stops with a snapshot.")
    with (
        stopped_by_signal(run.stop, world) as received,
        ShowTicks(run.config.kimg) if world.is_main else nullcontext(_silently) as show,
    ):
        for tick in run:
            show(tick)
    if number := world.largest(max(received, default=0)):
        echo(f"Stopped. Resume with: {stylegan_command('train', '--resume', run.folder)}", err=True)
        sys.exit(128 + number)
    echo(f"Done. Draw images with: {_to_draw(run)}")


def _to_draw(run: Run) -> str:
    """Return the command that draws with the network of a run."""
    from stylegan.checkpoints.commands import generate_command

    data, options = run.dataset, ("--seeds", "0-31", "--grid", "auto", "--trunc", "0.7")
    names = {"class_names": data.class_names, "label_names": data.label_names}
    return generate_command(run.folder, *options, c_dim=data.label_dim, **names)


def _show(plan: Plan) -> None:
    """Print the settings, and what the run takes over and needs beside them."""
    if plan.world.is_main:
        click.echo(plan.config.to_json(), nl=False)
        measured = plan.precision_reason and f"Precision {plan.config.precision}: {plan.precision_reason}."
        for remark in filter(None, (plan.report, measured, *plan.remarks)):
            click.echo(with_flags(remark), err=True)
        click.echo(plan.needed(), err=True)


def _silently(*_: Any, **__: Any) -> None:
    """Show nothing: rank 0 alone prints."""
