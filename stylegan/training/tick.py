"""One line of progress, and the clock behind it."""

from __future__ import annotations

import resource
import sys
import time
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import torch

from stylegan.training.config import TrainConfig
from stylegan.training.state import TrainingState


@dataclass(frozen=True, kw_only=True)
class Tick:
    """One line of progress."""

    tick: int
    nimg: int  # real pictures shown so far
    total_nimg: int
    seconds: float  # since the loop was entered
    tick_seconds: float  # of this tick, without writing pictures and snapshots
    maintenance_seconds: float  # spent on those since the tick before
    sec_per_kimg: float
    cpu_gb: float  # peak memory of the process
    gpu_gb: float
    augment_p: float  # strength of augmentation, 0 without
    stats: dict[str, dict[str, float]]  # name -> num, mean, std
    snapshot: Path | None = None  # being written since this tick; there with the next snapshot, or on the last tick
    grid: Path | None = None
    nonfinite: dict[str, int] = field(default_factory=dict)  # tensor -> values of its gradient that were replaced
    scores: dict[str, float] = field(default_factory=dict)  # metric -> score of this snapshot

    def record(self) -> dict[str, Any]:
        """A line of stats.jsonl: the official names, plus `nimg` to find the line by."""
        timing = {
            "Progress/tick": self.tick,
            "Progress/kimg": self.nimg / 1000,
            "Timing/total_sec": self.seconds,
            "Timing/sec_per_tick": self.tick_seconds,
            "Timing/sec_per_kimg": self.sec_per_kimg,
            "Timing/maintenance_sec": self.maintenance_seconds,
            "Resources/cpu_mem_gb": self.cpu_gb,
            "Resources/peak_gpu_mem_gb": self.gpu_gb,
        }
        values = {name: {"num": 1, "mean": value, "std": 0.0} for name, value in timing.items()}
        hit = {"nonfinite": self.nonfinite} if self.nonfinite else {}
        return {**self.stats, **values, **hit, "nimg": self.nimg, "timestamp": time.time()}


class Clock:
    """Measures training apart from what happens between two ticks."""

    def __init__(self, nimg: int):
        self._start = time.perf_counter()
        self._maintenance = 0.0
        self.begin_tick(nimg)

    def begin_tick(self, nimg: int) -> None:
        """The training of the next tick begins."""
        self._tick_start, self._nimg = time.perf_counter(), nimg

    def tick(
        self, config: TrainConfig, state: TrainingState, stats: dict[str, dict[str, float]], nonfinite: dict[str, int]
    ) -> Tick:
        """What the tick came to, now that its training has ended."""
        self._end = time.perf_counter()
        seconds = self._end - self._tick_start
        return Tick(
            tick=state.nimg // int(config.tick_kimg * 1000),
            nimg=state.nimg,
            total_nimg=int(config.kimg * 1000),
            seconds=self._end - self._start,
            tick_seconds=seconds,
            maintenance_seconds=self._maintenance,
            sec_per_kimg=seconds / max(state.nimg - self._nimg, 1) * 1000,
            cpu_gb=_peak_memory(),
            gpu_gb=torch.cuda.max_memory_allocated(state.device) / 2**30 if state.device.type == "cuda" else 0.0,
            augment_p=stats["Augment/p"]["mean"] if "Augment/p" in stats else 0.0,
            stats=stats,
            nonfinite=nonfinite,
        )

    def end_maintenance(self, nimg: int) -> None:
        """All that followed the tick is done, and the next begins."""
        self.begin_tick(nimg)
        self._maintenance = self._tick_start - self._end


def _peak_memory() -> float:
    """Peak resident memory of this process, GB."""
    unit = 1 if sys.platform == "darwin" else 1024
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * unit / 2**30
