"""The ticks of a run as event files for TensorBoard."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from PIL import Image

from stylegan.errors import MissingExtra
from stylegan.metrics.protocol import SAME_FEATURES
from stylegan.runs.best_effort import BestEffort

if TYPE_CHECKING:
    from stylegan.runs.tick import Tick


def summary_writer() -> Any:
    """Import the class that writes event files. Raises: MissingExtra."""
    try:
        from torch.utils.tensorboard import SummaryWriter
    except ImportError as error:
        raise MissingExtra(
            "`tensorboard` needs the package TensorBoard. Install it with: pip install 'stylegan[tracking]'"
        ) from error
    return SummaryWriter


def with_tensorboard(ticks: Iterator[Tick], run: Path) -> Iterator[Tick]:
    """Yield the same ticks, and write each into the run folder; errors of the disk are a warning."""
    open_writer, writer, best_effort = summary_writer(), None, BestEffort()
    try:
        for tick in ticks:
            with best_effort("the file for TensorBoard"):
                writer = writer or open_writer(str(run))  # which writes; before the first tick, a run can be refused
                _write(writer, tick)
            yield tick
    finally:
        if writer is not None:
            with best_effort("the file for TensorBoard"):
                writer.close()


def _write(writer: Any, tick: Tick) -> None:
    """Write means and scores as scalars, grids as images."""
    for name, value in tick.stats.items():
        writer.add_scalar(name, value["mean"], tick.nimg)
    for name, score in tick.scores.items():
        mark = f" ({SAME_FEATURES})" * (name in tick.same_as_discriminator)
        writer.add_scalar(f"Metrics/{name}{mark}", score, tick.nimg)
    writer.add_scalar("Timing/sec_per_kimg", tick.sec_per_kimg, tick.nimg)
    if tick.grid is not None:
        with Image.open(tick.grid) as grid:
            writer.add_image("fakes", np.asarray(grid.convert("RGB")), tick.nimg, dataformats="HWC")
    writer.flush()
