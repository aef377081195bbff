"""Display of the ticks of `stylegan train`."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

import click
from rich.console import Console
from rich.progress import BarColumn, Progress, TextColumn, TimeElapsedColumn, TimeRemainingColumn

if TYPE_CHECKING:
    from stylegan.training import Tick


class ShowTicks:
    """Shows ticks: a live progress bar on a terminal, a line for each elsewhere.

    Args:
        kimg: length of the run.
        line: makes the line of a tick; by default the official one.
    """

    def __init__(self, kimg: float, line: Callable[[Tick], str] = str):
        self.console = Console()
        self.bar = Progress(
            TextColumn("{task.description}"),
            BarColumn(),
            TextColumn("{task.percentage:3.0f}%"),
            TimeElapsedColumn(),
            TextColumn("left"),
            TimeRemainingColumn(elapsed_when_finished=True),
            console=self.console,
            speed_estimate_period=86400,  # ticks can be minutes apart
        )
        self.kimg, self.line = kimg, line

    def __enter__(self) -> Callable[[Tick], None]:
        if not self.console.is_terminal:
            return lambda tick: click.echo(self.line(tick))
        self.bar.start()
        task = self.bar.add_task("starting", total=self.kimg * 1000)

        def show(tick: Tick) -> None:
            speed = f"{1000 / tick.sec_per_kimg:.0f} images/s"
            self.bar.update(task, completed=tick.nimg, description=f"{tick.nimg / 1000:.1f} kimg, {speed}")
            if tick.grid is not None:
                line = "  ".join([f"{tick.nimg / 1000:8.1f} kimg  wrote {tick.grid}", *tick.score_texts()])
                self.bar.console.print(line, highlight=False)

        return show

    def __exit__(self, *error: object) -> None:
        self.bar.stop()
