"""One step of the progress of a run."""

from __future__ import annotations

import time
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from stylegan.metrics.registry import meaning_of


@dataclass(frozen=True, kw_only=True)
class Tick:
    """A report on the images since the one before."""

    tick: int
    nimg: int  # real images shown so far
    total_nimg: int
    seconds: float  # since the loop was entered
    tick_seconds: float  # of this tick, without writing images and snapshots
    maintenance_seconds: float  # spent on those since the tick before
    sec_per_kimg: float
    cpu_gb: float  # peak memory of the process
    gpu_gb: float
    augment_p: float  # strength of augmentation, 0 without
    stats: dict[str, dict[str, float]]  # name -> num, mean, std
    snapshot: Path | None = None  # being written; complete with the next snapshot, on the last tick already
    grid: Path | None = None
    nonfinite: dict[str, int] = field(default_factory=dict)  # tensor -> values of its gradient that were replaced
    scores: dict[str, float] = field(default_factory=dict)  # metric -> score of this snapshot
    same_as_discriminator: frozenset[str] = frozenset()  # of the metrics, those with the feature network of D

    def record(self) -> dict[str, Any]:
        """Make a line of stats.jsonl: the official names, and `nimg` to find the line by."""
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
        replaced = {"nonfinite": self.nonfinite} if self.nonfinite else {}
        return {**self.stats, **values, **replaced, "nimg": self.nimg, "timestamp": time.time()}

    def score_texts(self) -> list[str]:
        """Return each score with its name and its mark, in the form of its metric: "eqr1k 22.11 dB"."""
        return [
            f"{name} {meaning_of(name).text(score, same_as_discriminator=name in self.same_as_discriminator)}"
            for name, score in self.scores.items()
        ]

    def __str__(self) -> str:
        """Return the line that the official trainers print, which scripts read."""
        return "  ".join(
            [
                f"tick {self.tick:<5d}",
                f"kimg {self.nimg / 1000:<8.1f}",
                f"time {_duration(self.seconds):<12s}",
                f"sec/tick {self.tick_seconds:<7.1f}",
                f"sec/kimg {self.sec_per_kimg:<7.2f}",
                f"maintenance {self.maintenance_seconds:<6.1f}",
                f"cpumem {self.cpu_gb:<6.2f}",
                f"gpumem {self.gpu_gb:<6.2f}",
                f"augment {self.augment_p:.3f}",
                *self.score_texts(),
            ]
        ).rstrip()


def _duration(seconds: float) -> str:
    """Return the time as 3h 05m 07s."""
    s = round(seconds)
    if s < 60:
        return f"{s}s"
    if s < 3600:
        return f"{s // 60}m {s % 60:02d}s"
    if s < 86400:
        return f"{s // 3600}h {s // 60 % 60:02d}m {s % 60:02d}s"
    return f"{s // 86400}d {s // 3600 % 24:02d}h {s // 60 % 60:02d}m"
