"""Metrics of a run: measured at every snapshot, kept as lines of metric-NAME.jsonl, and the link to the best one."""

from __future__ import annotations

import json
import os
import threading
import time
import warnings
from collections.abc import Iterable, Iterator, Sequence
from contextlib import suppress
from dataclasses import asdict
from pathlib import Path
from typing import Any

from torch import Tensor

from stylegan.data.shards.dataset import open_any
from stylegan.errors import DistributedError, StyleGANError
from stylegan.files.atomic import atomic_file
from stylegan.machine.devices import resolve_device
from stylegan.machine.processes import World
from stylegan.metrics.features import Detector, load_detector
from stylegan.metrics.fid import fid, metric_name, parse_name
from stylegan.metrics.protocol import meaning_of
from stylegan.training.config import TrainConfig
from stylegan.training.run_folder import append_line, drop_lines_after
from stylegan.training.state import TrainingState

BEST = "best"  # in the run folder, a link to the snapshot with the best score in the first of the metrics
_PROTOCOL = ("detector", "resize", "fakes", "reals", "data_fingerprint", "seed")  # equal in scores that are comparable


class SnapshotScores:
    """Measures the averaged generator as `config.metrics` says, against all pictures of the data set, not mirrored.

    Args:
        world: the processes that share the work; all call it together.
        stop: when set, measuring ends.
    Raises: ConfigError for an unknown metric, MissingExtra if its feature network is not installed.
    """

    def __init__(self, config: TrainConfig, run: Path, world: World, stop: threading.Event | None):
        self._run, self._world, self._stop = run, world, stop
        device = world.place(resolve_device(config.device))
        self._metrics: list[tuple[int, Detector]] = []
        for num, detector in map(parse_name, config.metrics):
            self._metrics.append((num, load_detector(detector, device)))
        if self._metrics:
            data = config.data
            self._reals = open_any(data.path, use_labels=data.labels, cache_gb=data.cache_gb)

    def __call__(self, state: TrainingState, snapshot: Path) -> dict[str, float]:
        """Metric -> score, each kept in the run folder by rank 0. What fails is a warning, and left out."""
        scores = {}
        for num, detector in self._metrics:
            start = time.perf_counter()
            try:
                with self._world.all_or_none():
                    G = state.G_ema.for_inference("auto")
                score = fid(G, self._reals, detector, num=num, track=self._until_stopped, world=self._world)
                if self._world.first:
                    gpus = self._world.size if state.device.type == "cuda" else 0
                    append_score(self._run, score, snapshot, state.nimg, time.perf_counter() - start, gpus)
                scores[score.name] = score.value
            except DistributedError:
                raise
            except (StyleGANError, OSError, RuntimeError) as error:
                if self._world.first:
                    reason = (str(error) or type(error).__name__).splitlines()[0].rstrip(".")
                    message = f"{metric_name(num, detector.name)} of {snapshot.name} was not measured: {reason}"
                    warnings.warn(f"{message}; training goes on.", RuntimeWarning, stacklevel=2)
        return scores

    def _until_stopped(self, batches: Iterable[Tensor], what: str, total: int) -> Iterator[Tensor]:
        for batch in batches:
            if self._stop is not None and self._stop.is_set():
                raise StyleGANError("the run was told to stop")
            yield batch


def append_score(run: Path, score: Any, snapshot: Path, nimg: int, seconds: float, gpus: int) -> None:
    """Add a line as the official tools write it, and after it what the score was measured with. Raises: OutputError."""
    measured = asdict(score)
    name, value = measured.pop("name"), measured.pop("value")
    record = {
        "results": {name: value},
        "metric": name,
        "total_time": seconds,
        "total_time_str": f"{seconds // 60:.0f}m {seconds % 60:02.0f}s",
        "num_gpus": gpus,
        "snapshot_pkl": f"snapshots/{snapshot.name}",
        "kimg": nimg / 1000,
        "nimg": nimg,
        "timestamp": time.time(),
        **measured,
    }
    append_line(_file(run, name), record)


def read_scores(run: Path) -> dict[str, list[dict[str, Any]]]:
    """Metric -> its lines; of those that cannot be compared, the kind that there is most of."""
    return {
        path.stem.removeprefix("metric-"): records
        for path in sorted(run.glob("metric-*.jsonl"))
        if (records := _comparable(path))
    }


def drop_scores_after(run: Path, nimg: int, metrics: Sequence[str]) -> None:
    """Remove the scores of snapshots that a resumed run is going to repeat, and the link if it leads to one of them."""
    for path in run.glob("metric-*.jsonl"):
        drop_lines_after(path, nimg)
    link_best(run, metrics)


def link_best(run: Path, metrics: Sequence[str]) -> None:
    """Let `run/best` lead to the snapshot with the best score in the first metric; remove it if none has one."""
    if not metrics:
        return
    records = _comparable(_file(run, metric_name(*parse_name(metrics[0]))))
    there = [record for record in records if _nimg(run / record["snapshot_pkl"]) == record["nimg"]]
    try:
        if not there:
            (run / BEST).unlink(missing_ok=True)
            return
        better = min if meaning_of(metrics[0]).lower_is_better else max
        best = better(there, key=lambda record: record["results"][record["metric"]])
        with atomic_file(run / BEST) as temporary:
            os.symlink(best["snapshot_pkl"], temporary)
    except OSError as error:
        message = f"{run / BEST} cannot be a link to the best snapshot: {error.strerror or error}"
        warnings.warn(f"{message}; see metric-*.jsonl.", RuntimeWarning, stacklevel=2)


def _nimg(snapshot: Path) -> int | None:
    """After how many pictures it was written: a stop soon after a snapshot takes its place."""
    try:
        return json.loads((snapshot / "config.json").read_text(encoding="utf-8"))["nimg"]
    except (OSError, ValueError, KeyError):
        return None


def _file(run: Path, name: str) -> Path:
    return run / f"metric-{name}.jsonl"


def _comparable(path: Path) -> list[dict[str, Any]]:
    kinds: dict[tuple, list[dict[str, Any]]] = {}
    for line in path.read_text(encoding="utf-8", errors="replace").splitlines() if path.exists() else []:
        with suppress(ValueError):  # a line that a crash cut short
            record = json.loads(line)
            kinds.setdefault(tuple(record.get(key) for key in _PROTOCOL), []).append(record)
    return max(kinds.values(), key=len, default=[])
