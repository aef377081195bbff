"""The Fréchet distance between what a generator draws and a data set, with the protocol of the official tools.

One thing is ours: the seed is fixed, so that the same generator gets the same score again, up to rounding by any
number of processes.
"""

from __future__ import annotations

import hashlib
import warnings
from collections.abc import Iterable, Iterator
from pathlib import Path

import numpy as np
import torch
from safetensors import SafetensorError
from safetensors.torch import load_file, save_file
from torch import Tensor

from stylegan.data.dataset import Dataset
from stylegan.errors import ConfigError, OutputError
from stylegan.files.atomic import atomic_file
from stylegan.files.cache import default_cache
from stylegan.images.pixels import to_uint8
from stylegan.machine.processes import World
from stylegan.metrics.features import DETECTORS, Detector
from stylegan.metrics.frechet import FeatureStatistics, frechet_distance
from stylegan.metrics.protocol import ScoreAgainstReals, Track, join_name, random_latents, split_name, untracked
from stylegan.networks.protocol import GeneratorLike, device_of
from stylegan.sampling.generate import batched

_BATCH = 16  # what a core's cache likes best


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
) -> ScoreAgainstReals:
    """How far `num` images of `G` are from all images of `dataset`: without truncation, with random noise, labels
    of random real images, as 8-bit pixels.

    It falls with `num`, which therefore is part of its name: compare scores of one name only.

    Args:
        dataset: with labels where the network has classes. Its statistics are kept in the cache folder.
        cache: another cache folder than that of `Dataset`.
        track: sees every stream of image batches, to show progress.
        world: the processes that share the work, each with the same arguments; all get the score.
    Raises: ConfigError for a network that does not fit the data or a `num` below 1. What fails on one process fails
        on all.
    """
    if num < 1:
        raise ConfigError(f"the number of images to draw must be at least 1, got {num}.")
    if (G.img_resolution, G.c_dim) != (dataset.resolution, dataset.label_dim):
        raise ConfigError(
            f"the network draws {G.img_resolution}x{G.img_resolution} images with {G.c_dim} label values, but "
            f"{dataset.name} has {dataset.resolution}x{dataset.resolution} with {dataset.label_dim}; measure with the "
            "data that it was trained on."
        )
    world, device = world or World(), device_of(G)
    reals = real_statistics(dataset, detector, cache=cache, track=track, world=world)
    mine = _share(-(-num // _batch(G)), world)
    with torch.random.fork_rng(devices=[device] if device.type == "cuda" else []):
        fakes = _statistics(track(_fakes(G, dataset, num, seed, mine), "Drawing", len(mine)), detector, world)
    with world.all_or_none():
        value = frechet_distance(fakes, reals) if world.is_main else 0.0
    return ScoreAgainstReals(
        name=metric_name(num, detector.name),
        value=world.gather(value)[0],
        detector=detector.name,
        resize=detector.resize,
        fakes=fakes.n,
        reals=reals.n,
        data=dataset.name,
        data_fingerprint=f"{dataset.fingerprint}-{dataset.selection}",
        seed=seed,
    )


def parse_name(name: str) -> tuple[int, str]:
    """ "fid10k_efflite0" -> 10000 images, the detector "efflite0". Raises: ConfigError for any other name."""
    kind, num = split_name(name) or ("", 0)
    metric, _, detector = kind.partition("_")
    if metric != "fid" or detector not in DETECTORS:
        raise ConfigError(f"a metric is fidNk_DETECTOR with one of {', '.join(DETECTORS)}, got {name!r}.")
    return num, detector


def metric_name(num: int, detector: str) -> str:
    """The inverse of `parse_name`."""
    return join_name(f"fid_{detector}", num)


def real_statistics(
    dataset: Dataset,
    detector: Detector,
    *,
    cache: str | Path | None = None,
    track: Track = untracked,
    world: World | None = None,
) -> FeatureStatistics:
    """Those of all images of a data set, computed once and then read from the cache folder. Arguments as in `fid`;
    several processes share the work, and rank 0 has the result."""
    world = world or World()
    key = f"{dataset.fingerprint} {dataset.selection} {detector.name} {detector.resize}"
    file = Path(cache or default_cache()) / "metrics" / f"{hashlib.sha256(key.encode()).hexdigest()[:32]}.safetensors"
    kept = _read(file) if world.is_main else None
    if world.largest(kept is not None):
        return kept or FeatureStatistics.none(detector.feature_dim)
    with world.all_or_none():
        dataset.fill_cache(track)
    mine = _share(-(-len(dataset) // _BATCH), world)
    batches = (dataset.images(range(len(dataset))[i * _BATCH : (i + 1) * _BATCH]) for i in mine)
    statistics = _statistics(track(batches, "Real images", len(mine)), detector, world)
    if not world.is_main:
        return statistics
    try:
        with atomic_file(file) as temporary:
            save_file({"n": torch.tensor(statistics.n), "sum": statistics.sum, "outer": statistics.outer}, temporary)
    except (OutputError, SafetensorError) as error:
        warnings.warn(f"the statistics of {dataset.name} are not kept: {error}", RuntimeWarning, stacklevel=2)
    return statistics


def _read(file: Path) -> FeatureStatistics | None:
    try:
        kept = load_file(file)
        return FeatureStatistics(int(kept["n"]), kept["sum"], kept["outer"])
    except (OSError, SafetensorError, KeyError):  # not there or damaged
        return None


def _share(batches: int, world: World) -> range:
    """Which batches are this process's: neighbors, so that few shards of a data set are opened."""
    return range(batches * world.rank // world.size, batches * (world.rank + 1) // world.size)


def _statistics(batches: Iterable[Tensor], detector: Detector, world: World) -> FeatureStatistics:
    """Of the uint8 images, in batches [N, C, H, W], of all processes."""
    total = FeatureStatistics.none(detector.feature_dim)
    with world.all_or_none():
        for images in batches:
            total += FeatureStatistics.of(detector(images))
    n = torch.tensor(total.n, dtype=torch.float64)
    world.sum_([n, total.sum, total.outer])
    return FeatureStatistics(int(n), total.sum, total.outer)


def _fakes(G: GeneratorLike, dataset: Dataset, num: int, seed: int, mine: range) -> Iterator[Tensor]:
    """Of `num` images in batches, those of the batches `mine`, as uint8 [N, C, H, W] on the device of `G`."""
    rng = torch.Generator().manual_seed(seed)
    for i, part in enumerate(batched(range(num), _batch(G))):
        z, c = random_latents(G, len(part), dataset, rng)
        if i not in mine:
            continue
        # The noise, which networks draw from the global state: of a batch, whichever process draws it.
        torch.manual_seed(int(np.random.SeedSequence([seed, i]).generate_state(1)[0]))
        with torch.inference_mode():
            yield to_uint8(G.synthesis(G.mapping(z, c), noise_mode="random"))


def _batch(G: GeneratorLike) -> int:
    """Fewer large images at a time, for the sake of memory."""
    return max(1, min(_BATCH, _BATCH * 256**2 // G.img_resolution**2))
