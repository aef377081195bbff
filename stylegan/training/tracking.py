"""What a run leaves for its reader after every tick: lines of statistics, alarms, and the page."""

from __future__ import annotations

import warnings
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from PIL import Image

from stylegan.errors import MissingExtra
from stylegan.training.alarms import alarms
from stylegan.training.config import TrainConfig
from stylegan.training.page import write_run_page
from stylegan.training.report import read_stats
from stylegan.training.run_folder import append_line

if TYPE_CHECKING:
    from stylegan.training.tick import Tick


class Tracking:
    """The statistics of a run so far, in memory and on the disk."""

    def __init__(self, run: Path, config: TrainConfig):
        self.run, self.config = run, config
        path = run / "stats.jsonl"
        self.records: list[dict[str, Any]] = read_stats(run) if path.exists() and path.stat().st_size else []

    def add(self, record: dict[str, Any]) -> None:
        """Append a tick's record to stats.jsonl with the alarms that it gives, and warn of these."""
        self.records.append(record)
        worries = alarms(self.records)
        if worries:
            record["alarms"] = worries
        for worry in worries:
            warnings.warn(worry, RuntimeWarning, stacklevel=3)
        append_line(self.run / "stats.jsonl", record)  # last: a full disk raises, and the warnings matter more

    def write_page(self, *, finished: bool) -> None:
        """Show the run in its index.html."""
        write_run_page(self.run, self.config, self.records, finished=finished)


def summary_writer() -> Any:
    """TensorBoard's writer of event files. Raises: MissingExtra."""
    try:
        from torch.utils.tensorboard import SummaryWriter
    except ImportError as error:
        raise MissingExtra(
            "--tensorboard needs TensorBoard. Install it with: pip install 'stylegan[tracking]'"
        ) from error
    return SummaryWriter


def with_tensorboard(ticks: Iterator[Tick], run: Path) -> Iterator[Tick]:
    """The same ticks, each also written for TensorBoard into the run folder: means as scalars, grids as images."""
    with summary_writer()(str(run)) as writer:
        for tick in ticks:
            for name, value in tick.stats.items():
                writer.add_scalar(name, value["mean"], tick.nimg)
            for name, score in tick.scores.items():
                writer.add_scalar(f"Metrics/{name}", score, tick.nimg)
            writer.add_scalar("Timing/sec_per_kimg", tick.sec_per_kimg, tick.nimg)
            if tick.grid is not None:
                with Image.open(tick.grid) as grid:
                    writer.add_image("fakes", np.asarray(grid.convert("RGB")), tick.nimg, dataformats="HWC")
            writer.flush()
            yield tick
