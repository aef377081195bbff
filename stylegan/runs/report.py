"""Two images of a run for a page or a talk: its samples over time, and its curves; and the reading of statistics."""

from __future__ import annotations

import json
from pathlib import Path

from PIL import Image, ImageDraw, ImageFont

from stylegan.errors import DataError, MissingExtra
from stylegan.files.atomic import atomic_file
from stylegan.runs.charts import CHARTS, X_LABEL, curves_of
from stylegan.runs.folder import grids_by_kimg
from stylegan.runs.info import read_info

LABEL_PX = 24  # height of the line of text above the images
PLOTTED = CHARTS[:2]  # losses and scores
COLORS = ("#2a78d6", "#d9662b", "#2f8a57")  # distinct with any color vision


def time_strip(run: Path | str, dest: Path | str, *, moments: int = 8, seeds: int = 6, min_px: int = 64) -> None:
    """Draw the same latents at several moments of a run: a row per latent, a column per moment, labeled by kimg.

    Args:
        run: a run folder with the image grids that training wrote.
        dest: the PNG to write.
        moments: number of columns at most, evenly spread from the first grid to the last.
        seeds: number of rows, the first latents of the grid.
        min_px: smaller images are enlarged by a whole factor to at least this many pixels per side.
    Raises: DataError if the run has no grids; ConfigError if it has no config.json; OutputError.
    """
    run = Path(run)
    side = read_info(run).resolution
    grids = _spread(sorted(grids_by_kimg(run).items()), moments)
    if not grids:
        raise DataError(f"{run} has no image grids yet; let it train until the first one.")
    shown = side * max(1, -(-min_px // side))
    strip = Image.new("RGB", (len(grids) * shown, LABEL_PX + seeds * shown), "white")
    pen, font = ImageDraw.Draw(strip), ImageFont.load_default(14)
    for column, (kimg, path) in enumerate(grids):
        label = "start" if kimg < 0 else f"{kimg:.9g} kimg"
        pen.text(((column + 0.5) * shown, LABEL_PX / 2), label, fill="black", font=font, anchor="mm")
        with Image.open(path) as grid:
            for row in range(seeds):
                strip.paste(_tile(grid, row, side).resize((shown, shown), 0), (column * shown, LABEL_PX + row * shown))
    with atomic_file(dest) as temporary:
        strip.save(temporary, format="PNG")


def loss_plot(run: Path | str, dest: Path | str) -> None:
    """Draw the losses of both networks and the discriminator's scores over kimg, from stats.jsonl.

    Args:
        run: a run folder.
        dest: the PNG to write.
    Raises: MissingExtra without matplotlib; DataError if there are no statistics; OutputError.
    """
    try:
        from matplotlib.figure import Figure
    except ImportError as error:
        raise MissingExtra("plots need matplotlib. Install it with: pip install 'stylegan[plots]'") from error
    records = read_stats(run)
    figure = Figure(figsize=(10, 3.6), layout="constrained")
    for axes, chart in zip(figure.subplots(1, len(PLOTTED)), PLOTTED, strict=True):
        for (label, points), color in zip(curves_of(chart, records).items(), COLORS, strict=False):
            axes.plot(*zip(*points, strict=True), label=label, color=color, linewidth=1.8)
        axes.set(title=chart.title, xlabel=X_LABEL)
        axes.grid(alpha=0.25)
        axes.spines[["top", "right"]].set_visible(False)
        axes.legend(frameon=False)
    with atomic_file(dest) as temporary:
        figure.savefig(temporary, format="png", dpi=120)


def read_stats(run: Path | str) -> list[dict]:
    """Read stats.jsonl: {name: {"num", "mean", "std"}, "nimg": ..., "timestamp": ...} per tick.

    Raises: DataError if there is none or it is damaged.
    """
    path = Path(run) / "stats.jsonl"
    try:
        records = [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines()]
    except (OSError, ValueError) as error:
        raise DataError(f"{path} cannot be read: {error}; expected the statistics of a run.") from error
    if not records:
        raise DataError(f"{path} is empty; let the run train until its first tick.")
    return records


def _spread(items: list, n: int) -> list:
    """Choose at most n of the items, evenly spread, with both ends."""
    if len(items) <= n:
        return items
    return [items[round(i * (len(items) - 1) / (n - 1))] for i in range(n)]


def _tile(grid: Image.Image, k: int, side: int) -> Image.Image:
    """Image k of a grid, row by row."""
    columns = grid.width // side
    x, y = k % columns * side, k // columns * side
    return grid.crop((x, y, x + side, y + side))
