"""The Fréchet distance between generated images and a data set, with the protocol of the official tools.

One thing is ours: the seed is fixed, so that the same generator gets the same score again, up to rounding by any
number of processes.
"""

from __future__ import annotations

import hashlib
import warnings
from collections.abc import Iterable
from pathlib import Path

import torch
from safetensors import SafetensorError
from safetensors.torch import load_file, save_file
from torch import Tensor

from stylegan.data.dataset import Dataset
from stylegan.errors import ConfigError, OutputError
from stylegan.files.atomic import atomic_file
from stylegan.files.cache import default_cache
from stylegan.machine.processes import World
from stylegan.metrics.batches import fake_batches, real_batches
from stylegan.metrics.features import Detector, check_channels
from stylegan.metrics.frechet import FeatureStatistics, frechet_distance
from stylegan.metrics.protocol import Score, Track, check_fits, join_name, untracked
from stylegan.networks.protocol import GeneratorLike, device_of


def fid(
    G: GeneratorLike,
    dataset: Dataset,
    detector: Detector,
    *,
    num: int = 10_000,
    seed: int = 0,
    cache: str | Path | None = None,
    track: Track = untracked,
    world: World | None = None,
) -> Score:
    """Measure how far `num` images of `G` are from all images of `dataset`: without truncation, with random noise,
    labels of random real images, as 8-bit pixels.

    The distance falls with `num`, which therefore is part of its name: compare scores of one name only.

    Args:
        dataset: with labels where the network has classes. Its statistics are kept in the cache folder.
        cache: another cache folder than that of `Dataset`.
        track: sees every stream of image batches, to show progress.
        world: the processes that share the work, each with the same arguments; all get the score.
    Raises: ConfigError for a network that does not fit the data, images that are neither gray nor RGB, or a `num`
        below 1. What fails on one process fails on all.
    """
    if num < 1:
        raise ConfigError(f"the number of images to draw must be at least 1, got {num}.")
    check_fits(G, dataset)
    check_channels(dataset.channels)
    world, device = world or World(), device_of(G)
    reals = real_statistics(dataset, detector, cache=cache, track=track, world=world)
    with torch.random.fork_rng(devices=[device] if device.type == "cuda" else []):
        batches, count = fake_batches(G, dataset, num, seed, world)
        fakes = _statistics(track(batches, "Drawing", count), detector, world)
    with world.all_or_none():
        value = frechet_distance(fakes, reals) if world.is_main else 0.0
    return Score(
        name=join_name(f"fid_{detector.name}", num),
        value=world.gather(value)[0],
        detector=detector.name,
        resize=detector.resize,
        fakes=fakes.n,
        reals=reals.n,
        data=dataset.name,
        data_fingerprint=f"{dataset.fingerprint}-{dataset.selection}",
        seed=seed,
    )


def real_statistics(
    dataset: Dataset,
    detector: Detector,
    *,
    cache: str | Path | None = None,
    track: Track = untracked,
    world: World | None = None,
) -> FeatureStatistics:
    """Compute the statistics of all images of a data set once, then read them from the cache folder.

    Arguments as in `fid`; several processes share the work, and rank 0 has the result.
    """
    world = world or World()
    key = f"{dataset.fingerprint} {dataset.selection} {detector.name} {detector.resize}"
    file = Path(cache or default_cache()) / "metrics" / f"{hashlib.sha256(key.encode()).hexdigest()[:32]}.safetensors"
    kept = _read(file) if world.is_main else None
    if world.largest(kept is not None):
        return kept or FeatureStatistics.none(detector.feature_dim)
    with world.all_or_none():
        dataset.fill_cache(track)
    batches, count = real_batches(dataset, world)
    statistics = _statistics(track(batches, "Real images", count), detector, world)
    if not world.is_main:
        return statistics
    try:
        with atomic_file(file) as temporary:
            save_file({"n": torch.tensor(statistics.n), "sum": statistics.sum, "outer": statistics.outer}, temporary)
    except (OutputError, SafetensorError) as error:
        warnings.warn(f"the statistics of {dataset.name} are not kept: {error}", RuntimeWarning, stacklevel=2)
    return statistics


def _read(file: Path) -> FeatureStatistics | None:
    """The statistics in a file of the cache; None if it is missing or damaged."""
    try:
        kept = load_file(file)
        return FeatureStatistics(int(kept["n"]), kept["sum"], kept["outer"])
    except (OSError, SafetensorError, KeyError):
        return None


def _statistics(batches: Iterable[Tensor], detector: Detector, world: World) -> FeatureStatistics:
    """The statistics of the uint8 images, in batches [N, C, H, W], of all processes."""
    total = FeatureStatistics.none(detector.feature_dim)
    with world.all_or_none():
        for images in batches:
            total += FeatureStatistics.of(detector(images))
    n = torch.tensor(total.n, dtype=torch.float64)
    world.sum_([n, total.sum, total.outer])
    return FeatureStatistics(int(n), total.sum, total.outer)
