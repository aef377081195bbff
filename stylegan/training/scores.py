"""Measures the snapshots of a run with its metrics."""

from __future__ import annotations

import threading
import time
import warnings
from collections.abc import Iterable, Iterator
from pathlib import Path

from torch import Tensor

from stylegan.data.open import open_dataset
from stylegan.errors import DistributedError, StyleGANError
from stylegan.machine.devices import resolve_device
from stylegan.machine.processes import World
from stylegan.metrics.features import Detector, load_detector
from stylegan.metrics.fid import fid, metric_name, parse_name
from stylegan.runs.scores import append_score
from stylegan.training.config import TrainConfig
from stylegan.training.state import TrainingState


class SnapshotScores:
    """Measures the averaged generator as `config.metrics` says, against all images of the data set, not mirrored.

    Args:
        world: the processes that share the work; all call it together.
        stop: when set, measuring ends.
    Raises: ConfigError for an unknown metric, MissingExtra if its feature network is not installed.
    """

    def __init__(self, config: TrainConfig, run: Path, world: World, stop: threading.Event | None):
        self._run, self._world, self._stop = run, world, stop
        device = world.device_for(resolve_device(config.device))
        self._metrics: list[tuple[int, Detector]] = []
        for num, detector in map(parse_name, config.metrics):
            self._metrics.append((num, load_detector(detector, device)))
        if self._metrics:
            data = config.data
            self._reals = open_dataset(
                data.path, use_labels=data.labels, cache_gb=data.cache_gb, processes=world.local_size
            )

    def __call__(self, state: TrainingState, snapshot: Path) -> dict[str, float]:
        """Metric -> score, each kept in the run folder by rank 0. What fails is a warning, and left out."""
        scores = {}
        for num, detector in self._metrics:
            start = time.perf_counter()
            try:
                with self._world.all_or_none():
                    G = state.G_ema.for_inference("auto")
                score = fid(G, self._reals, detector, num=num, track=self._until_stopped, world=self._world)
                if self._world.is_main:
                    gpus = self._world.size if state.device.type == "cuda" else 0
                    append_score(self._run, score, snapshot, state.nimg, time.perf_counter() - start, gpus)
                scores[score.name] = score.value
            except DistributedError:
                raise
            except (StyleGANError, OSError, RuntimeError) as error:
                if self._world.is_main:
                    reason = (str(error) or type(error).__name__).splitlines()[0].rstrip(".")
                    message = f"{metric_name(num, detector.name)} of {snapshot.name} was not measured: {reason}"
                    warnings.warn(f"{message}; training goes on.", RuntimeWarning, stacklevel=2)
        return scores

    def _until_stopped(self, batches: Iterable[Tensor], what: str, total: int) -> Iterator[Tensor]:
        for batch in batches:
            if self._stop is not None and self._stop.is_set():
                raise StyleGANError("the run was told to stop")
            yield batch
