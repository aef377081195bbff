"""`stylegan metrics`: a network, and a data set where one is needed, to scores."""

from __future__ import annotations

import time
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from stylegan.cli.launch import gpus_option, launched
from stylegan.cli.options import (
    PathOrURL,
    device_option,
    network_option,
    open_network,
    switch,
    with_progress,
)
from stylegan.errors import ConfigError

if TYPE_CHECKING:
    from stylegan.machine.processes import World
    from stylegan.metrics.registry import Request


class _Names(click.ParamType):
    """Names of metrics, separated by commas."""

    name = "name"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> list[Request]:
        from stylegan.metrics.registry import parse

        try:
            return [parse(name.strip()) for name in value.split(",")]
        except ConfigError as error:
            self.fail(str(error), param, ctx)


@click.command()
@network_option
@click.option(
    "--data",
    type=PathOrURL(exists=True),
    metavar="ZIP|DIR|URL",
    help="The real images, best those that the network was trained on; eqt and eqr need only the labels, if any.",
)
@click.option(
    "--metrics",
    type=_Names(),
    required=True,
    metavar="NAME[,NAME]",
    help="fid10k_efflite0, fid10k_efflite2, fid10k_mobilenetv2, eqt10k_int, eqt10k_frac or eqr10k draw 10,000 images; "
    "any other number works too.",
)
@click.option(
    "--max-reals",
    type=click.IntRange(min=1),
    metavar="IMAGES",
    help="Compare with this many random images of --data.  [default: all]",
)
@switch("--mirror", default=False, help="Also compare with every real image flipped left to right.")
@click.option(
    "--seed", type=click.IntRange(0, 2**32 - 1), default=0, show_default=True, help="Seed of the images that are drawn."
)
@device_option
@gpus_option
@launched
def command(
    world: World,
    network: Path,
    data: str | None,
    metrics: list[Request],
    max_reals: int | None,
    mirror: bool,
    seed: int,
    device: str,
) -> None:
    """Score the images of a network, against real ones or against themselves.

    fidNk_efflite0, fidNk_efflite2 and fidNk_mobilenetv2 are the Fréchet distance of N thousand images in the features
    of EfficientNet-Lite0, EfficientNet-Lite2 and MobileNetV2; lower is better. They rank trainings on the same data.
    None of them is the FID of the literature, which takes another feature network. Compare scores only where name, data
    and numbers of images are equal. A score is marked "features of the discriminator" if the network was trained
    against the features that it is measured with; compare such networks by another feature network.

    eqtNk_int, eqtNk_frac and eqrNk are the equivariance of a StyleGAN3 in dB, as in the literature: how closely its
    image follows when the input is shifted by whole pixels, shifted by any distance, or rotated; higher is better.

    The newest snapshot of a run is measured; for another one, give its folder in RUN/snapshots. Each score is
    added to metric-NAME.jsonl of the run. Features of --data are computed once and kept in the cache folder.

    With several GPUs: torchrun --standalone --nproc-per-node 8 -m stylegan metrics ...
    """
    from stylegan.checkpoints.snapshots import discriminator_features
    from stylegan.data.open import open_dataset
    from stylegan.machine.devices import resolve_device
    from stylegan.runs.scores import append_score

    for request in metrics:
        if data is None and request.metric.needs_reals:
            raise click.UsageError(f"--metrics {request.name} compares with real images; name them with --data.")
    place = world.device_for(resolve_device(device))
    snapshot, run, nimg = world.gather(_snapshot_of(network) if world.is_main else None)[0]
    track = partial(with_progress, show=world.is_main)
    for request in metrics:
        start = time.perf_counter()
        (G,) = open_network(snapshot, place, request.metric.precision, compile=False, world=world)
        dataset: Any = data and open_dataset(
            data, use_labels=G.c_dim > 0, max_images=max_reals, mirror=mirror, processes=world.local_size
        )
        detector = request.load_detector(place)
        score = request.measure(
            G,
            dataset=dataset,
            detector=detector,
            discriminator_features=discriminator_features(snapshot),
            seed=seed,
            track=track,
            world=world,
        )
        seconds = time.perf_counter() - start
        if not world.is_main:
            continue
        against = "" if score.reals is None else f" against {score.reals:,} of {data}"
        value = request.metric.text(score.value, same_as_discriminator=score.same_as_discriminator)
        click.echo(f"{score.name} {value}: {score.fakes:,} images of {snapshot}{against}, in {seconds:.1f} s.")
        if run is not None:
            append_score(run, score, snapshot.resolve(), nimg, seconds, world.size if place.type == "cuda" else 0)


def _snapshot_of(network: Path) -> tuple[Path, Path | None, int]:
    """The folder that holds the weights; the run folder around it, if there is one; and the images seen by then."""
    from stylegan.checkpoints.snapshots import is_snapshot_name, newest_snapshot, nimg_of

    snapshot = newest_snapshot(network) or network
    folder = snapshot.resolve()  # `best` is a link
    in_run = folder.parent.name == "snapshots" and is_snapshot_name(folder.name)
    return snapshot, folder.parent.parent if in_run else None, (in_run and nimg_of(folder)) or 0
