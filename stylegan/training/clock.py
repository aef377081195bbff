"""Time of the ticks of a run."""

from __future__ import annotations

import time
from typing import Protocol

import torch

from stylegan.machine.memory import peak_memory_gb
from stylegan.runs.tick import Tick


class Lengths(Protocol):
    """The settings of a run that its clock reads."""

    @property
    def kimg(self) -> float: ...
    @property
    def tick_kimg(self) -> float: ...


class Progress(Protocol):
    """The state of a run that its clock reads."""

    @property
    def nimg(self) -> int: ...
    @property
    def device(self) -> torch.device: ...


class Clock:
    """Measures the time of training and, separately, of the maintenance between two ticks."""

    def __init__(self, nimg: int):
        self._start = time.perf_counter()
        self._maintenance = 0.0
        self.begin_tick(nimg)

    def begin_tick(self, nimg: int) -> None:
        """Start the time of the next tick."""
        self._tick_start, self._nimg = time.perf_counter(), nimg

    def tick(
        self, config: Lengths, state: Progress, stats: dict[str, dict[str, float]], nonfinite: dict[str, int]
    ) -> Tick:
        """Return the tick whose training has just ended."""
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
            cpu_gb=peak_memory_gb(),
            gpu_gb=torch.cuda.max_memory_allocated(state.device) / 2**30 if state.device.type == "cuda" else 0.0,
            augment_p=stats["Augment/p"]["mean"] if "Augment/p" in stats else 0.0,
            stats=stats,
            nonfinite=nonfinite,
        )

    def end_maintenance(self, nimg: int) -> None:
        """End the maintenance after a tick, and start the time of the next."""
        self.begin_tick(nimg)
        self._maintenance = self._tick_start - self._end
