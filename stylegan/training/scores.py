"""Measures the snapshots of a run with its metrics."""

from __future__ import annotations

import threading
import time
import warnings
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

import torch

from stylegan.data.dataset import Dataset
from stylegan.data.open import open_dataset
from stylegan.errors import DistributedError, StyleGANError
from stylegan.files.digest import digest
from stylegan.machine.devices import resolve_device
from stylegan.machine.processes import World
from stylegan.metrics.feature_file import feature_file
from stylegan.metrics.passes import KeptPasses
from stylegan.metrics.protocol import Score
from stylegan.metrics.registry import Request, kept_for, parse
from stylegan.metrics.torchscript import TorchScriptNetwork
from stylegan.runs.scores import append_score
from stylegan.training.config import TrainConfig
from stylegan.training.state import TrainingState


class SnapshotScores:
    """Measures the averaged generator with `config.metrics`, against all images of the data set, not mirrored.

    Args:
        world: the processes that share the work; all call it together.
        stop: when set, measuring ends.
    Raises: MissingExtra if a feature network is not installed.
    """

    def __init__(self, config: TrainConfig, run: Path, world: World, stop: threading.Event | None):
        self._run, self._world, self._stop = run, world, stop
        device, data = world.device_for(resolve_device(config.device)), config.data
        self._requests = [parse(name) for name in config.metrics]
        self._detectors = load_detectors(config, device)
        self._dataset: Dataset | None = None
        if any(request.metric.needs_reals or data.labels for request in self._requests):
            self._dataset = open_dataset(
                data.path, use_labels=data.labels, cache_gb=data.cache_gb, processes=world.local_size
            )

    def __call__(self, state: TrainingState, snapshot: Path | None) -> dict[str, Score]:
        """Measure `state`; returns scores by name. A metric that fails is left out, with a warning.

        Args:
            snapshot: the folder that `state` is written to, in the run that keeps the scores; None but on rank 0.
        """
        scores = {}
        network = digest(state.G_ema.state_dict().values())
        with kept_for(self._requests) as kept:
            for request in self._requests:
                try:
                    start = time.perf_counter()
                    score = self._measure(request, state, network, kept)
                    if snapshot is not None:
                        gpus = self._world.size if state.device.type == "cuda" else 0
                        append_score(self._run, score, snapshot, state.nimg, time.perf_counter() - start, gpus)
                    scores[score.name] = score
                except DistributedError:
                    raise
                except (StyleGANError, OSError, RuntimeError) as error:
                    kept.files.clear()  # `stylegan metrics` can continue the pass
                    if snapshot is not None:
                        reason = (str(error) or type(error).__name__).splitlines()[0].rstrip(".")
                        message = f"{request.name} of {snapshot.name} was not measured: {reason}"
                        warnings.warn(f"{message}; training continues.", RuntimeWarning, stacklevel=2)
        return scores

    def _measure(self, request: Request, state: TrainingState, network: str, kept: KeptPasses) -> Score:
        with self._world.all_or_none():
            G = state.G_ema.for_inference(request.metric.precision)
        return request.measure(
            G,
            dataset=self._dataset,
            detector=self._detectors[_network(request)],
            network_sha256=network,
            discriminator_features=getattr(state.D, "feature_network", None),
            track=self._until_stopped,
            world=self._world,
            kept=kept,
        )

    def _until_stopped(self, batches: Iterable[Any], what: str, total: int) -> Iterator[Any]:
        for batch in batches:
            if self._stop is not None and self._stop.is_set():
                raise StyleGANError("the run was stopped")
            yield batch


def load_detectors(config: TrainConfig, device: torch.device | str = "cpu") -> dict[Any, Any]:
    """Load what the metrics of a run see images through, each network once, so that its features are shared.

    Raises: MissingExtra if the weights of one are not installed; CheckpointError or DownloadError for the file of
        `feature_net`, which is read if a metric names it.
    """
    requests = [parse(name) for name in config.metrics]
    own = None
    if config.feature_net and any(request.detector not in (None, *request.metric.networks) for request in requests):
        own = TorchScriptNetwork(
            feature_file(config.feature_net), device, resize=config.feature_resize, value_range=config.feature_range
        )
    detectors: dict[Any, Any] = {}
    for request in requests:
        if _network(request) not in detectors:
            detectors[_network(request)] = request.load_detector(device, own)
    return detectors


def _network(request: Request) -> tuple[str, str | None]:
    """Return the identity of the network that a metric sees images through."""
    return request.metric.sees_through, request.detector
