"""How `stylegan train` shows its ticks."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

import click
from rich.console import Console
from rich.progress import BarColumn, Progress, TextColumn, TimeElapsedColumn, TimeRemainingColumn

if TYPE_CHECKING:
    from stylegan.training import Tick, TrainConfig


class ShowTicks:
    """A way to show ticks: a live bar on a terminal, the official tick line elsewhere."""

    def __init__(self, config: TrainConfig):
        self.console = Console()
        self.bar = Progress(
            TextColumn("{task.description}"),
            BarColumn(),
            TextColumn("{task.percentage:3.0f}%"),
            TimeElapsedColumn(),
            TextColumn("left"),
            TimeRemainingColumn(elapsed_when_finished=True),
            console=self.console,
            speed_estimate_period=86400,  # ticks can lie minutes apart
        )
        self.config = config

    def __enter__(self) -> Callable[[Tick], None]:
        if not self.console.is_terminal:
            return lambda tick: click.echo(tick_line(tick))
        self.bar.start()
        task = self.bar.add_task("starting", total=self.config.kimg * 1000)

        def show(tick: Tick) -> None:
            speed = f"{1000 / tick.sec_per_kimg:.0f} images/s"
            self.bar.update(task, completed=tick.nimg, description=f"{tick.nimg / 1000:.1f} kimg, {speed}")
            if tick.grid is not None:
                line = "  ".join([f"{tick.nimg / 1000:8.1f} kimg  wrote {tick.grid}", *_scores(tick)])
                self.bar.console.print(line, highlight=False)

        return show

    def __exit__(self, *error: object) -> None:
        self.bar.stop()


def tick_line(tick: Tick) -> str:
    """The line that the official trainers print, which scripts read."""
    return "  ".join(
        [
            f"tick {tick.tick:<5d}",
            f"kimg {tick.nimg / 1000:<8.1f}",
            f"time {_duration(tick.seconds):<12s}",
            f"sec/tick {tick.tick_seconds:<7.1f}",
            f"sec/kimg {tick.sec_per_kimg:<7.2f}",
            f"maintenance {tick.maintenance_seconds:<6.1f}",
            f"cpumem {tick.cpu_gb:<6.2f}",
            f"gpumem {tick.gpu_gb:<6.2f}",
            f"augment {tick.augment_p:.3f}",
            *_scores(tick),
        ]
    ).rstrip()


def _scores(tick: Tick) -> list[str]:
    from stylegan.metrics.registry import meaning_of

    return [f"{name} {meaning_of(name).text(score)}" for name, score in tick.scores.items()]


def _duration(seconds: float) -> str:
    s = round(seconds)
    if s < 60:
        return f"{s}s"
    if s < 3600:
        return f"{s // 60}m {s % 60:02d}s"
    if s < 86400:
        return f"{s // 3600}h {s // 60 % 60:02d}m {s % 60:02d}s"
    return f"{s // 86400}d {s // 3600 % 24:02d}h {s // 60 % 60:02d}m"
