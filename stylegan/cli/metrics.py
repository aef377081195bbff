"""`stylegan metrics`: a network, and a data set where one is needed, to scores."""

from __future__ import annotations

import time
from collections.abc import Iterable
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from stylegan.cli.options import network_option, open_network
from stylegan.errors import ConfigError

if TYPE_CHECKING:
    from stylegan.metrics import equivariance, fid


class _Names(click.ParamType):
    """One name of a metric or several -> (pictures, kind of equivariance or detector) of each."""

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
    type=click.Path(exists=True, path_type=Path),
    metavar="ZIP|DIR",
    help="The real pictures, best those that the network was trained on; eqt and eqr need none but their labels.",
)
@click.option(
    "--metrics",
    type=_Names(),
    required=True,
    metavar="NAME[,NAME]",
    help="fid10k_efflite0, eqt10k_int, eqt10k_frac or eqr10k draw 10,000 pictures; any other number works too.",
)
@click.option(
    "--max-reals",
    type=click.IntRange(min=1),
    metavar="PICTURES",
    help="Compare with so many random ones of --data.  [default: all]",
)
@click.option(
    "--seed", type=click.IntRange(0, 2**32 - 1), default=0, show_default=True, help="Which pictures are drawn."
)
@click.option(
    "--device",
    default="auto",
    show_default=True,
    help="cpu, cuda, cuda:1, ...; auto takes a GPU if there is one.",
    metavar="DEVICE",
)
def command(
    network: Path, data: Path | None, metrics: list[tuple[int, str]], max_reals: int | None, seed: int, device: str
) -> None:
    """Score the pictures of a network, against real ones or against themselves.

    fidNk_efflite0 is the Fréchet distance of N thousand pictures in the features of EfficientNet-Lite0; lower is
    better. It tells trainings on the same data apart; it is no FID of the literature, which takes another network.
    Compare only equal names, data and numbers of pictures.

    eqtNk_int, eqtNk_frac and eqrNk tell in dB how truly the picture of a StyleGAN3 follows when its input is moved by
    whole pixels, moved or turned; higher is better, and they are those of the literature.

    Of a run, the newest snapshot is measured; for another, name its folder in RUN/snapshots. Each score is
    added to metric-NAME.jsonl of the run. Features of --data are computed once and kept in the cache folder.
    """
    from stylegan.data.dataset import Dataset
    from stylegan.metrics import equivariance, fid
    from stylegan.metrics.equivariance import KINDS
    from stylegan.metrics.features import load_detector
    from stylegan.sampling.network import device_of

    if data is None and not all(kind in KINDS for _, kind in metrics):
        raise click.UsageError("--metrics fid... compares with real pictures; name them with --data.")
    snapshot, run = _snapshot_and_run(network)
    for num, kind in metrics:
        start = time.perf_counter()
        # The difference of two pictures that are nearly equal must not be that of their rounding.
        G = open_network(snapshot, device, precision="fp32" if kind in KINDS else "auto", compile=False)
        dataset: Any = data and Dataset(data, use_labels=G.c_dim > 0, max_images=max_reals)
        score: fid.Score | equivariance.Score
        if kind in KINDS:
            score = equivariance.equivariance(G, kind, num=num, seed=seed, dataset=dataset, track=_track)
            result = f"{score.value:.2f} dB: {score.fakes:,} pictures of {snapshot}"
        else:
            score = fid.fid(G, dataset, load_detector(kind, device_of(G)), num=num, seed=seed, track=_track)
            result = f"{score.value:.4f}: {score.fakes:,} pictures of {snapshot} against {score.reals:,} of {data}"
        seconds = time.perf_counter() - start
        click.echo(f"{score.name} {result}, in {seconds:.1f} s.")
        if run is not None:
            _append(score, run, snapshot, seconds, gpus=int(device_of(G).type == "cuda"))


def _snapshot_and_run(network: Path) -> tuple[Path, Path | None]:
    """The folder that holds the weights, and the run folder around it, if there is one."""
    from stylegan.checkpoints.native import newest_snapshot

    snapshot = newest_snapshot(network) or network
    run = snapshot.resolve().parent.parent
    return snapshot, run if snapshot.resolve().parent.name == "snapshots" else None


def _append(score: fid.Score | equivariance.Score, run: Path, snapshot: Path, seconds: float, *, gpus: int) -> None:
    """A line as the official tools write it, and after it what the score was measured with."""
    from stylegan.training.run_folder import append_line

    measured = asdict(score)
    name, value = measured.pop("name"), measured.pop("value")
    record = {
        "results": {name: value},
        "metric": name,
        "total_time": seconds,
        "total_time_str": f"{seconds // 60:.0f}m {seconds % 60:02.0f}s",
        "num_gpus": gpus,
        "snapshot_pkl": str(snapshot.resolve().relative_to(run)),
        "timestamp": time.time(),
        **measured,
    }
    append_line(run / f"metric-{name}.jsonl", record)


def _track(batches: Iterable, what: str, total: int) -> Iterable:
    """A bar that a terminal shows."""
    from rich.console import Console
    from rich.progress import track

    console = Console(stderr=True)
    return track(batches, what, total=total, console=console, transient=True, disable=not console.is_terminal)
