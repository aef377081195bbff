"""`stylegan metrics`: networks or images, and a data set where one is needed, to scores."""

from __future__ import annotations

import time
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from stylegan.cli.feature_options import feature_options, fetched
from stylegan.cli.launch import gpus_option, launched
from stylegan.cli.options import (
    LocalPath,
    Network,
    PathOrURL,
    device_option,
    engine_option,
    inference_form,
    read_generator,
    switch,
    with_progress,
    wrong_usage,
)
from stylegan.errors import ConfigError
from stylegan.files.counted import counted
from stylegan.models import shown

if TYPE_CHECKING:
    import torch

    from stylegan.data.dataset import Dataset
    from stylegan.machine.processes import World
    from stylegan.metrics.passes import KeptPasses
    from stylegan.metrics.protocol import Score
    from stylegan.metrics.registry import Request
    from stylegan.metrics.subject import Subject
    from stylegan.networks.generator import FamilyGenerator


@click.command()
@click.option(
    "--network",
    "networks",
    type=Network(),
    multiple=True,
    metavar="FILE|FOLDER|NAME",
    help="The network: a checkpoint of this library or a file of another tool, the folder of a run, whose newest "
    "snapshot is used, or a name that `stylegan models` lists. Give several to compare them in a table.",
)
@click.option(
    "--images",
    type=PathOrURL(exists=True),
    metavar="ZIP|DIR",
    help="Generated images to score in place of a network.",
)
@click.option(
    "--data",
    type=PathOrURL(exists=True),
    metavar="ZIP|DIR|URL",
    help="The real images, best those that the network was trained on; eqt, eqr and ppl need only the labels, if any.",
)
@click.option(
    "--metrics",
    required=True,
    metavar="NAME[,NAME]",
    help="For example fid10k_efflite0,kid10k_efflite0,recall10k_efflite0, which draw 10,000 images; any other number "
    "works too. docs/metrics.md lists all; names of the official tools, such as fid50k_full, work with --feature-net.",
)
@feature_options
@click.option(
    "--max-reals",
    type=click.IntRange(min=1),
    metavar="IMAGES",
    help="Compare with this many random images of --data.  [default: all]",
)
@switch("--mirror", default=False, help="Also compare with every real image flipped left to right.")
@click.option(
    "--neighbors",
    type=LocalPath(),
    metavar="FILE.png",
    help="With the metric authenticity: write the images that look most like copies, each beside the real image that "
    "is nearest to it.",
)
@click.option("--plot", type=LocalPath(), metavar="FILE.png", help="Draw the scores of all networks as bars.")
@click.option(
    "--seed", type=click.IntRange(0, 2**32 - 1), default=0, show_default=True, help="Seed of the images that are drawn."
)
@device_option
@engine_option
@gpus_option
@launched
def command(
    world: World,
    networks: tuple[Path, ...],
    images: str | None,
    data: str | None,
    metrics: str,
    feature_net: str | None,
    feature_resize: str | None,
    feature_range: tuple[float, float] | None,
    max_reals: int | None,
    mirror: bool,
    neighbors: Path | None,
    plot: Path | None,
    seed: int,
    device: str,
    engine: str,
) -> None:
    """Score the images of networks, or a folder of images, against real ones or against themselves.

    \b
    fid, kid, mind                          distance from real images
    fid1k_class_efflite0                    the same for each class, and its mean
    precision, recall, density, coverage    how real and how varied images are
    authenticity                            whether they are copies
    is                                      inception score
    ppl1k_wend_efflite0                     perceptual path length
    ls, dci                                 separable attributes, disentangled latents
    eqt1k_int, eqt1k_frac, eqr1k            equivariance of a StyleGAN3

    A name holds the number of images and ends in the network that they are seen through: efflite0, efflite2 or
    mobilenetv2. These work offline and rank trainings on the same data, but none of them gives the numbers of papers,
    which take Inception or VGG16: give these files with --feature-net. Compare scores only where name, data and numbers
    of images are equal. A score is marked "features of the discriminator" if the network was trained against the
    features that it is measured with; compare such networks by another feature network.

    The newest snapshot of a run is measured; for another one, give its folder in RUN/snapshots. Each score is
    added to metric-NAME.jsonl of the run. Features of --data are computed once and kept in the cache folder. Repeat a
    command that was interrupted to continue it.

    With several GPUs: torchrun --standalone --nproc-per-node 8 -m stylegan metrics ...
    """
    from stylegan.machine.devices import resolve_device
    from stylegan.metrics.plot import score_plot
    from stylegan.metrics.torchscript import RANGE, TorchScriptNetwork

    if bool(networks) == bool(images):
        raise click.UsageError(
            "give --network or --images, not both." if networks else "Name what to score with --network or --images."
        )
    file = fetched(feature_net, world) if feature_net else None
    requests = _requests(metrics, file, data=data is not None, neighbors=neighbors is not None)
    place = world.device_for(resolve_device(device))
    own = file and TorchScriptNetwork(file, place, resize=feature_resize or "none", value_range=feature_range or RANGE)
    detectors = {request.name: request.load_detector(place, own or None) for request in requests}
    sources = [_Source.of(network, world) for network in networks] or [_Source(name=str(images))]
    for source in sources:
        source.check(requests)
    labels = any(request.metric.needs_labels for request in requests)
    real_labels = labels or any(source.label_dim for source in sources)
    protocol = _Protocol(
        requests=requests,
        detectors=detectors,
        dataset=data and _open(data, real_labels, world, max_images=max_reals, mirror=mirror),
        images=images and _open(images, labels, world),
        seed=seed,
        device=place,
        engine=engine,
        world=world,
        data=data,
    )
    scores = {}
    for source in sources:
        sheet = neighbors if neighbors is None or len(sources) == 1 else _numbered(neighbors, sources.index(source))
        scores[source.name] = protocol.measure(source, sheet)
    if world.is_main:
        if len(sources) > 1:
            click.echo(_table(scores))
        if plot:
            score_plot(scores, plot)
            click.echo(f"Wrote {plot}.")


def _requests(metrics: str, file: Path | None, *, data: bool, neighbors: bool) -> list[Request]:
    """Return what --metrics names. Raises: UsageError for a name, or for what another option lacks.

    Args:
        file: of the feature network, which names of the official tools need.
        data: real images are given.
        neighbors: the pairs of authenticity are to be shown.
    """
    from stylegan.metrics.registry import parse_all
    from stylegan.metrics.torchscript import network_name

    with wrong_usage("--metrics"):
        requests = parse_all(metrics, network_name(file) if file else None)
    for request in requests:
        if not data and request.metric.needs_reals:
            raise click.UsageError(f"--metrics {request.name} compares with real images; name them with --data.")
    if neighbors and not any(request.key == "authenticity" for request in requests):
        raise click.UsageError("--neighbors shows the pairs of authenticity; add it to --metrics.")
    return requests


@dataclass
class _Source:
    """A network, or a folder of images if it has no snapshot."""

    name: str
    snapshot: Path | None = None
    run: Path | None = None
    nimg: int = 0
    network: FamilyGenerator | None = None
    sha256: str | None = None
    discriminator_features: str | None = None
    _generators: dict[str, Any] = field(default_factory=dict)

    @classmethod
    def of(cls, path: Path, world: World) -> _Source:
        from stylegan.checkpoints.snapshots import discriminator_features
        from stylegan.files.digest import digest
        from stylegan.machine.memory import keep_freed_memory

        keep_freed_memory()
        snapshot, run, nimg = world.gather(_snapshot_of(path) if world.is_main else None)[0]
        G = read_generator(snapshot, world)
        sha256 = digest(G.state_dict().values())
        return cls(shown(snapshot), snapshot, run, nimg, G, sha256, discriminator_features(snapshot))

    @property
    def label_dim(self) -> int:
        return self.network.c_dim if self.network is not None else 0

    def check(self, requests: list[Request]) -> None:
        """Refuse before the first score what a later one would."""
        from stylegan.metrics.features import check_channels

        for request in requests:
            if self.network is None and request.metric.needs_network:
                raise ConfigError(f"{request.name} measures a network, not a folder of images; leave it out.")
            if self.network is not None and request.metric.sees_through:
                check_channels(self.network.img_channels, request.name)

    def generator(self, device: torch.device, precision: str, engine: str, images: int) -> Any:
        """The network in the inference form that draws `images` images soonest, None for images.

        A metric that asks for fp32 compares images that are nearly equal, and PyTorch draws them.
        """
        from stylegan.metrics.batches import batch_of

        if self.network is None:
            return None
        if precision not in self._generators:
            engine = "torch" if precision == "fp32" else engine
            G = self.network.to(device)
            form = inference_form(G, precision, engine, images=images, batch=batch_of(G), noise_mode="random")
            self._generators[precision] = form
        return self._generators[precision]


@dataclass(frozen=True, kw_only=True)
class _Protocol:
    """The data, feature networks and settings that all networks are measured with."""

    requests: list[Request]
    detectors: dict[str, Any]  # name of a request -> its feature network
    dataset: Any  # of real images, or None
    images: Any  # generated ones in place of a network, or None
    seed: int
    device: torch.device
    engine: str  # as --engine names it
    world: World
    data: str | None  # as --data names it

    def measure(self, source: _Source, sheet: Path | None) -> list[Score]:
        """Measure and print all scores; the pairs of authenticity are drawn to `sheet`."""
        from stylegan.metrics.registry import kept_for

        with kept_for(self.requests) as kept:
            return [self._score(source, request, kept, sheet) for request in self.requests]

    def _score(self, source: _Source, request: Request, kept: KeptPasses, sheet: Path | None) -> Score:
        since = time.perf_counter()
        precision = request.metric.precision
        total = sum(other.num for other in self.requests if other.metric.precision == precision)
        G = source.generator(self.device, precision, self.engine, total if self.world.size == 1 else 0)
        subject = request.subject(
            G,
            images=self.images,
            dataset=self.dataset,
            detector=self.detectors[request.name],
            network_sha256=source.sha256,
            seed=self.seed,
            track=partial(with_progress, show=self.world.is_main),
            world=self.world,
            kept=kept,
        )
        score = request.score(subject, discriminator_features=source.discriminator_features)
        if self.world.is_main:
            self._report(score, source, request, time.perf_counter() - since)
            if sheet and request.key == "authenticity":
                _write_neighbors(score, subject, sheet)
        return score

    def _report(self, score: Score, source: _Source, request: Request, seconds: float) -> None:
        """Print a score, and add it to those of the run."""
        from stylegan.runs.scores import append_score

        against = "" if score.reals is None else f" against {score.reals:,} of {self.data}"
        value = request.metric.text(score.value, same_as_discriminator=score.same_as_discriminator)
        click.echo(
            f"{score.name} {value}: {counted(score.fakes, 'image')} of {source.name}{against}, in {seconds:.1f} s."
        )
        if source.run is not None and source.snapshot is not None:
            gpus = self.world.size if self.device.type == "cuda" else 0
            append_score(source.run, score, source.snapshot.resolve(), source.nimg, seconds, gpus)


def _open(path: str, labels: bool, world: World, **choice: Any) -> Dataset:
    from stylegan.data.open import open_dataset

    return open_dataset(path, use_labels=labels, processes=world.local_size, **choice)


def _write_neighbors(score: Score, subject: Subject, dest: Path) -> None:
    from stylegan.images.png import save_png
    from stylegan.metrics.neighbors import neighbor_sheet

    save_png(neighbor_sheet(score, subject), dest)
    click.echo(f"Wrote {dest}: pairs of a generated image and the nearest real one, nearest first.")


def _numbered(path: Path, number: int) -> Path:
    """Give each of several networks a file of its own."""
    return path.with_stem(f"{path.stem}{number}")


def _table(scores: dict[str, list[Score]]) -> str:
    """Return a table with a row for each network and a column for each metric."""
    from stylegan.metrics.registry import meaning_of

    head = ["network", *(score.name for score in next(iter(scores.values())))]

    def cell(s: Score) -> str:
        return meaning_of(s.name).text(s.value, same_as_discriminator=s.same_as_discriminator)

    rows = [[name, *map(cell, column)] for name, column in scores.items()]
    widths = [max(map(len, column)) for column in zip(head, *rows, strict=True)]
    lines = ([text.ljust(w) if i == 0 else text.rjust(w) for i, (text, w) in enumerate(zip(row, widths, strict=True))]
             for row in (head, *rows))  # fmt: skip
    return "\n" + "\n".join("  ".join(line) for line in lines)


def _snapshot_of(network: Path) -> tuple[Path, Path | None, int]:
    """The folder that holds the weights; the run folder around it, if there is one; and the images seen by then."""
    from stylegan.checkpoints.snapshots import is_snapshot_name, newest_snapshot, nimg_of

    snapshot = newest_snapshot(network) or network
    folder = snapshot.resolve()  # `best` is a link
    in_run = folder.parent.name == "snapshots" and is_snapshot_name(folder.name)
    return snapshot, folder.parent.parent if in_run else None, (in_run and nimg_of(folder)) or 0
