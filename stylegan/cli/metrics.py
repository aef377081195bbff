"""`stylegan metrics`: a network, and a data set where one is needed, to scores."""

from __future__ import annotations

import time
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from stylegan.cli.launch import launched
from stylegan.cli.options import PathOrURL, device_option, network_option, open_network, with_progress
from stylegan.errors import ConfigError

if TYPE_CHECKING:
    from stylegan.machine.processes import World
    from stylegan.metrics.protocol import Score


class _Names(click.ParamType):
    """One name of a metric or several -> (images, kind of equivariance or detector) of each."""

    name = "name"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> list[tuple[int, str]]:
        from stylegan.metrics import equivariance, fid

        try:
            names = [part.strip() for part in value.split(",")]
            return [(equivariance if name.startswith("eq") else fid).parse_name(name) for name in names]
        except ConfigError as error:
            self.fail(str(error), param, ctx)


@click.command()
@network_option
@click.option(
    "--data",
    type=PathOrURL(exists=True),
    metavar="ZIP|DIR|URL",
    help="The real images, best those that the network was trained on; eqt and eqr need none but their labels.",
)
@click.option(
    "--metrics",
    type=_Names(),
    required=True,
    metavar="NAME[,NAME]",
    help="fid10k_efflite0, eqt10k_int, eqt10k_frac or eqr10k draw 10,000 images; any other number works too.",
)
@click.option(
    "--max-reals",
    type=click.IntRange(min=1),
    metavar="IMAGES",
    help="Compare with so many random ones of --data.  [default: all]",
)
@click.option("--seed", type=click.IntRange(0, 2**32 - 1), default=0, show_default=True, help="Which images are drawn.")
@device_option
@launched
def command(
    world: World,
    network: Path,
    data: str | None,
    metrics: list[tuple[int, str]],
    max_reals: int | None,
    seed: int,
    device: str,
) -> None:
    """Score the images of a network, against real ones or against themselves.

    fidNk_efflite0 is the Fréchet distance of N thousand images in the features of EfficientNet-Lite0; lower is
    better. It tells trainings on the same data apart; it is no FID of the literature, which takes another network.
    Compare only equal names, data and numbers of images.

    eqtNk_int, eqtNk_frac and eqrNk tell in dB how truly the image of a StyleGAN3 follows when its input is moved by
    whole pixels, moved or turned; higher is better, and they are those of the literature.

    Of a run, the newest snapshot is measured; for another, name its folder in RUN/snapshots. Each score is
    added to metric-NAME.jsonl of the run. Features of --data are computed once and kept in the cache folder.

    With several GPUs: torchrun --standalone --nproc-per-node 8 -m stylegan metrics ...
    """
    from stylegan.data.open import open_dataset
    from stylegan.machine.devices import resolve_device
    from stylegan.metrics import equivariance, fid
    from stylegan.metrics.equivariance import KINDS
    from stylegan.metrics.features import load_detector
    from stylegan.runs.scores import append_score

    if data is None and not all(kind in KINDS for _, kind in metrics):
        raise click.UsageError("--metrics fid... compares with real images; name them with --data.")
    place = world.device_for(resolve_device(device))
    snapshot, run = world.gather(_snapshot_and_run(network) if world.is_main else None)[0]
    track = partial(with_progress, show=world.is_main)
    for num, kind in metrics:
        start = time.perf_counter()
        # The difference of two images that are nearly equal must not be that of their rounding.
        precision = "fp32" if kind in KINDS else "auto"
        G = open_network(snapshot, place, precision=precision, compile=False)
        dataset: Any = data and open_dataset(
            data, use_labels=G.c_dim > 0, max_images=max_reals, processes=world.local_size
        )
        score: Score
        if kind in KINDS:
            if not world.is_main:  # quickly done by one
                continue
            score = equivariance.equivariance(G, kind, num=num, seed=seed, dataset=dataset, track=with_progress)
            result = f"{score.value:.2f} dB: {score.fakes:,} images of {snapshot}"
        else:
            detector = load_detector(kind, place)
            score = fid.fid(G, dataset, detector, num=num, seed=seed, track=track, world=world)
            result = f"{score.value:.4f}: {score.fakes:,} images of {snapshot} against {score.reals:,} of {data}"
        seconds = time.perf_counter() - start
        if not world.is_main:
            continue
        click.echo(f"{score.name} {result}, in {seconds:.1f} s.")
        if run is not None:
            gpus = world.size if place.type == "cuda" else 0
            append_score(run, score, snapshot.resolve(), int(snapshot.resolve().name) * 1000, seconds, gpus)


def _snapshot_and_run(network: Path) -> tuple[Path, Path | None]:
    """The folder that holds the weights, and the run folder around it, if there is one."""
    from stylegan.checkpoints.snapshots import newest_snapshot

    snapshot = newest_snapshot(network) or network
    folder = snapshot.resolve()  # `best` is a link
    return snapshot, folder.parent.parent if folder.parent.name == "snapshots" and folder.name.isdecimal() else None
