"""What a run folder tells at a glance: its images through time, and its curves."""

from __future__ import annotations

import json
import re
from pathlib import Path

from PIL import Image, ImageDraw, ImageFont

from stylegan.errors import DataError, MissingExtra
from stylegan.files.atomic import atomic_file
from stylegan.runs.info import read_info

LABEL_PX = 24  # height of the line of text above the images
CURVES = {
    "Loss": {"Loss/G/loss": "generator", "Loss/D/loss": "discriminator"},
    "Score of the discriminator": {"Loss/scores/real": "real images", "Loss/scores/fake": "generated images"},
}
COLORS = ("#2a78d6", "#d9662b")  # told apart with any color vision


def time_strip(run: Path | str, dest: Path | str, *, moments: int = 8, seeds: int = 6, min_px: int = 64) -> None:
    """The same latents at several moments of a run: a row per latent, a column per moment, labeled by kimg.

    Args:
        run: a run folder with the grids that training wrote.
        dest: the PNG to write.
        moments: at most so many of the grids, evenly spread, the first and the last among them.
        seeds: how many latents, the first of the grid.
        min_px: smaller images are enlarged by a whole factor to at least so many pixels per side.
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
        label = "start" if path.stem == "fakes_init" else f"{kimg} kimg"
        pen.text(((column + 0.5) * shown, LABEL_PX / 2), label, fill="black", font=font, anchor="mm")
        with Image.open(path) as grid:
            for row in range(seeds):
                strip.paste(_tile(grid, row, side).resize((shown, shown), 0), (column * shown, LABEL_PX + row * shown))
    with atomic_file(dest) as temporary:
        strip.save(temporary, format="PNG")


def loss_plot(run: Path | str, dest: Path | str) -> None:
    """The losses of both networks and the discriminator's scores over kimg, from stats.jsonl, as PNG.

    Raises: MissingExtra without matplotlib; DataError if there are no statistics; OutputError.
    """
    try:
        from matplotlib.figure import Figure
    except ImportError as error:
        raise MissingExtra("plots need matplotlib. Install it with: pip install 'stylegan[plots]'") from error
    records = read_stats(run)
    figure = Figure(figsize=(10, 3.6), layout="constrained")
    for axes, (title, curves) in zip(figure.subplots(1, len(CURVES)), CURVES.items(), strict=True):
        for (name, label), color in zip(curves.items(), COLORS, strict=True):
            points = [(r["nimg"] / 1000, r[name]["mean"]) for r in records if name in r]
            axes.plot(*zip(*points, strict=True), label=label, color=color, linewidth=1.8)
        axes.set(title=title, xlabel="kimg (thousands of real images shown)")
        axes.grid(alpha=0.25)
        axes.spines[["top", "right"]].set_visible(False)
        axes.legend(frameon=False)
    with atomic_file(dest) as temporary:
        figure.savefig(temporary, format="png", dpi=120)


def read_stats(run: Path | str) -> list[dict]:
    """The records of a run's stats.jsonl: {name: {"num", "mean", "std"}, "nimg", "timestamp"} per tick.

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


def grids_by_kimg(run: Path) -> dict[int, Path]:
    """kimg -> the grid of that moment; the one before training counts as -1, so that it comes first."""
    names = {path: re.fullmatch(r"fakes(?:(\d+)|_init)", path.stem) for path in run.glob("fakes*.png")}
    return {int(match[1] or -1): path for path, match in names.items() if match}


def _spread(items: list, n: int) -> list:
    """At most n of the items, evenly spread, with both ends."""
    if len(items) <= n:
        return items
    return [items[round(i * (len(items) - 1) / (n - 1))] for i in range(n)]


def _tile(grid: Image.Image, k: int, side: int) -> Image.Image:
    """Image k of a grid, row by row."""
    columns = grid.width // side
    x, y = k % columns * side, k // columns * side
    return grid.crop((x, y, x + side, y + side))
