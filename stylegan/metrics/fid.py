"""The Fréchet distance between what a generator draws and a data set, with the protocol of the official tools.

One thing is ours: the seed is fixed, so that the same generator gets the same score again.
"""

from __future__ import annotations

import hashlib
import re
import warnings
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path

import torch
from safetensors import SafetensorError
from safetensors.torch import load_file, save_file
from torch import Tensor

from stylegan.data.dataset import Dataset, default_cache
from stylegan.errors import ConfigError, OutputError
from stylegan.files import atomic_file
from stylegan.metrics.features import DETECTORS, Detector
from stylegan.metrics.frechet import FeatureStatistics, frechet_distance
from stylegan.sampling.generate import batched
from stylegan.sampling.network import GeneratorLike, device_of
from stylegan.sampling.pictures import to_uint8

_BATCH = 16  # what a core's cache likes best
Track = Callable[[Iterable[Tensor], str, int], Iterable[Tensor]]  # (batches, what they are, how many) -> the batches


@dataclass(frozen=True, kw_only=True)
class Score:
    """A number, and what one must know to compare it with another: all but `value` and `data` must be equal."""

    name: str  # such as fid10k_efflite0
    value: float  # 0 = alike
    detector: str
    resize: str  # how pictures came to the size that the detector takes
    fakes: int
    reals: int
    data: str  # name of the data set
    data_fingerprint: str  # of its source and of what was chosen of it
    seed: int


def fid(
    G: GeneratorLike,
    dataset: Dataset,
    detector: Detector,
    *,
    num: int = 10_000,
    seed: int = 0,
    cache: str | Path | None = None,
    track: Track = lambda batches, what, total: batches,
) -> Score:
    """How far `num` pictures of `G` are from all pictures of `dataset`: without truncation, with random noise, labels
    of random real pictures, as 8-bit pixels.

    It falls with `num`, which therefore is part of its name: compare scores of one name only.

    Args:
        dataset: with labels where the network has classes. Its statistics are kept in the cache folder.
        cache: another cache folder than that of `Dataset`.
        track: sees every stream of picture batches, to show progress.
    Raises: ConfigError for a network that does not fit the data or a `num` below 1.
    """
    if num < 1:
        raise ConfigError(f"the number of pictures to draw must be at least 1, got {num}.")
    if (G.img_resolution, G.c_dim) != (dataset.resolution, dataset.label_dim):
        raise ConfigError(
            f"the network draws {G.img_resolution}x{G.img_resolution} pictures with {G.c_dim} label values, but "
            f"{dataset.name} has {dataset.resolution}x{dataset.resolution} with {dataset.label_dim}; measure with the "
            "data that it was trained on."
        )
    reals = real_statistics(dataset, detector, cache=cache, track=track)
    device = device_of(G)
    with torch.random.fork_rng(devices=[device] if device.type == "cuda" else []):
        torch.manual_seed(seed)  # of the noise, which networks draw from the global state
        fakes = _statistics(track(_fakes(G, dataset, num, seed), "Drawing", -(-num // _batch(G))), detector)
    return Score(
        name=f"fid{_count(num)}_{detector.name}",
        value=frechet_distance(fakes, reals),
        detector=detector.name,
        resize=detector.resize,
        fakes=fakes.n,
        reals=reals.n,
        data=dataset.name,
        data_fingerprint=f"{dataset.fingerprint}-{dataset.selection}",
        seed=seed,
    )


def parse_name(name: str) -> tuple[int, str]:
    """ "fid10k_efflite0" -> 10000 pictures, the detector "efflite0". Raises: ConfigError for any other name."""
    match = re.fullmatch(r"fid([1-9][0-9]{0,6})(k?)_(\w+)", name)
    if match is None or match[3] not in DETECTORS:
        raise ConfigError(f"a metric is fidNk_DETECTOR with one of {', '.join(DETECTORS)}, got {name!r}.")
    return int(match[1]) * (1000 if match[2] else 1), match[3]


def real_statistics(
    dataset: Dataset,
    detector: Detector,
    *,
    cache: str | Path | None = None,
    track: Track = lambda batches, what, total: batches,
) -> FeatureStatistics:
    """Those of all pictures of a data set, computed once and then read from the cache folder. Arguments as in `fid`."""
    key = f"{dataset.fingerprint} {dataset.selection} {detector.name} {detector.resize}"
    file = Path(cache or default_cache()) / "metrics" / f"{hashlib.sha256(key.encode()).hexdigest()[:32]}.safetensors"
    try:
        kept = load_file(file)
        return FeatureStatistics(int(kept["n"]), kept["sum"], kept["outer"])
    except (OSError, SafetensorError, KeyError):  # not there or damaged
        pass
    batches = (dataset.images(indices) for indices in batched(range(len(dataset)), _BATCH))
    statistics = _statistics(track(batches, "Real pictures", -(-len(dataset) // _BATCH)), detector)
    try:
        with atomic_file(file) as temporary:
            save_file({"n": torch.tensor(statistics.n), "sum": statistics.sum, "outer": statistics.outer}, temporary)
    except (OutputError, SafetensorError) as error:
        warnings.warn(f"the statistics of {dataset.name} are not kept: {error}", RuntimeWarning, stacklevel=2)
    return statistics


def _statistics(batches: Iterable[Tensor], detector: Detector) -> FeatureStatistics:
    """Of uint8 pictures in batches [N, C, H, W]."""
    total = FeatureStatistics.none(detector.feature_dim)
    for pictures in batches:
        total += FeatureStatistics.of(detector(pictures))
    return total


def _fakes(G: GeneratorLike, dataset: Dataset, num: int, seed: int) -> Iterator[Tensor]:
    """`num` pictures as uint8 [N, C, H, W] on the device of `G`, in batches."""
    device, rng = device_of(G), torch.Generator().manual_seed(seed)
    for part in batched(range(num), _batch(G)):
        z = torch.randn(len(part), G.z_dim, generator=rng)
        c = dataset.labels(torch.randint(len(dataset), (len(part),), generator=rng))
        with torch.inference_mode():
            ws = G.mapping(z.to(device), c.to(device) if G.c_dim else None)
            yield to_uint8(G.synthesis(ws, noise_mode="random"))


def _batch(G: GeneratorLike) -> int:
    """Fewer large pictures at a time, for the sake of memory."""
    return max(1, min(_BATCH, _BATCH * 256**2 // G.img_resolution**2))


def _count(num: int) -> str:
    return f"{num // 1000}k" if num % 1000 == 0 else str(num)
