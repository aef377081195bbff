"""The curves of a run: which there are, and their drawing as SVG, with axes, units and the newest values."""

from __future__ import annotations

import json
import math
from collections.abc import Mapping, Sequence
from html import escape
from itertools import pairwise
from statistics import median
from typing import Any, NamedTuple

from stylegan.metrics.protocol import SAME_FEATURES
from stylegan.metrics.registry import meaning_of

WIDTH, HEIGHT = 480, 220  # of a chart, in SVG units
LEFT, RIGHT, TOP, BOTTOM = 46, 10, 8, 36  # margins that hold the numbers
MAX_POINTS = 300  # of a curve; longer ones show means
X_LABEL = "kimg (thousand images seen)"
Points = list[tuple[float, float]]  # kimg, value
_MEANS = ("Loss/", "Timing/")  # over the steps of a tick


class Chart(NamedTuple):
    """The curves in one pair of axes."""

    title: str
    unit: str
    curves: dict[str, str]  # name in the statistics -> label
    limits: tuple[float, float] | None = None  # always on the y axis, where they mean something


CHARTS = (
    Chart("Loss", "", {"Loss/G/loss": "generator", "Loss/D/loss": "discriminator"}),
    Chart("Score of the discriminator", "logit", {"Loss/scores/real": "real", "Loss/scores/fake": "generated",
                                                  "Health/scores/held_out": "held out"}),
    Chart("Certainty of the discriminator", "mean sign of the score",
          {"Loss/signs/real": "real", "Loss/signs/fake": "generated"}, (-1, 1)),
    Chart("Augmentation", "probability", {"Augment/p": "p"}, (0, 1)),
    Chart("Variety of generated images", "1 = as varied as real ones", {"Health/diversity": "variety"}, (0, 1)),
    Chart("Overfitting", "0 = none, 1 = knows the images by heart", {"Health/held_out_gap": "held-out gap"}, (0, 1)),
    Chart("R1 penalty", "squared slope of the score", {"Loss/r1_penalty": "R1 penalty",
                                                       "Loss/r2_penalty": "R2 penalty"}),
    Chart("Path length", "pixels per step in w", {"Loss/pl_length": "path length"}),
    Chart("Error of the encoder", "1 = that of a random latent", {"Loss/encoder/latent": "latent"}),
    Chart("Images of the encoder", "distance from the targets",
          {"Loss/encoder/pixels": "mean square of pixels", "Loss/encoder/perceptual": "perceptual"}),
    Chart("Time", "seconds per kimg", {"Timing/sec_per_kimg": "seconds"}),
    Chart("Values of gradients that were not finite", "mean per update", {"Health/nonfinite_gradients": "values"}),
)  # fmt: skip


def draw_charts(records: Sequence[dict[str, Any]], scores: Mapping[str, Sequence[dict[str, Any]]] | None = None) -> str:
    """Draw a figure per metric, and one per chart for which there are records.

    Args:
        records: the lines of stats.jsonl.
        scores: metric -> the lines of its metric-NAME.jsonl.
    Returns: HTML.
    """
    figures = []
    for metric, lines in (scores or {}).items():
        meaning = meaning_of(metric)
        points = sorted((line["nimg"] / 1000, line["results"][metric]) for line in lines)
        if points := [(x, y) for x, y in points if math.isfinite(y)]:  # inf: perfectly equivariant
            mark = f" ({SAME_FEATURES})" * any(line.get("same_as_discriminator") for line in lines)
            figures.append(_figure(Chart(meaning.title, meaning.unit, {}), {metric + mark: points}))
    for chart in CHARTS:
        curves = curves_of(chart, records)
        if curves and (chart is not CHARTS[-1] or any(y for points in curves.values() for _, y in points)):
            figures.append(_figure(chart, curves))
    return "\n".join(figures)


def curves_of(chart: Chart, records: Sequence[dict[str, Any]]) -> dict[str, Points]:
    """Read the curves of a chart from the lines of stats.jsonl: label -> points, without those that have none."""
    whole = _whole_ticks(records)
    curves = {
        label: points_of(whole if name.startswith(_MEANS) else records, name) for name, label in chart.curves.items()
    }
    return {label: points for label, points in curves.items() if points}


def points_of(records: Sequence[dict[str, Any]], name: str) -> Points:
    """Read (kimg, mean) of a statistic over time, at most MAX_POINTS; values that are not finite are left out."""
    points = [(r["nimg"] / 1000, r[name]["mean"]) for r in records if name in r]
    points = [(x, y) for x, y in points if math.isfinite(y)]
    size = -(-len(points) // MAX_POINTS) or 1
    parts = [points[i : i + size] for i in range(0, len(points), size)]
    return [(part[-1][0], sum(y for _, y in part) / len(part)) for part in parts]


def _whole_ticks(records: Sequence[dict[str, Any]]) -> list[dict[str, Any]]:
    """Leave out the ticks that a stop cut short: a mean of few steps looks like a jump."""
    spans = [after - before for before, after in pairwise([0, *(record["nimg"] for record in records)])]
    least = median(spans or [0]) / 2
    return [record for record, span in zip(records, spans, strict=True) if span >= least]


def nice_ticks(low: float, high: float, n: int = 4) -> list[float]:
    """Choose about n round numbers that enclose low ... high."""
    if high - low < 1e-12 * max(abs(low), abs(high), 1e-12):
        low, high = (low - abs(low) / 2, high + abs(high) / 2) if low else (-1.0, 1.0)
    rough = (high - low) / n
    power = 10.0 ** math.floor(math.log10(rough))
    step = next(m * power for m in (1, 2, 2.5, 5, 10) if m * power >= rough * 0.999)
    first, last = math.floor(low / step + 1e-9), math.ceil(high / step - 1e-9)
    return [round(i * step, 12) for i in range(first, last + 1)]


def _figure(chart: Chart, curves: dict[str, Points]) -> str:
    xs = [x for points in curves.values() for x, _ in points]
    ys = [y for points in curves.values() for _, y in points]
    y_ticks = nice_ticks(min([*ys, *(chart.limits or ())]), max([*ys, *(chart.limits or ())]))
    x_ticks = [tick for tick in nice_ticks(0, max(xs)) if tick <= max(xs)]

    def x_at(x: float) -> float:
        return LEFT + (WIDTH - LEFT - RIGHT) * x / max(xs)

    def y_at(y: float) -> float:
        return TOP + (HEIGHT - TOP - BOTTOM) * (y_ticks[-1] - y) / (y_ticks[-1] - y_ticks[0])

    zero = ' class="zero"'
    grid = [
        f'<line x1="{LEFT}" x2="{WIDTH - RIGHT}" y1="{y_at(t):.1f}" y2="{y_at(t):.1f}"'
        f"{zero if t == 0 else ''}/>"
        f'<text x="{LEFT - 6}" y="{y_at(t) + 4:.1f}" text-anchor="end">{_number(t)}</text>'
        for t in y_ticks
    ]
    grid += [
        f'<text x="{x_at(t):.1f}" y="{HEIGHT - BOTTOM + 16}" text-anchor="middle">{_number(t)}</text>' for t in x_ticks
    ]
    lines, legend, data = [], [], []
    for i, (label, points) in enumerate(curves.items()):
        at = " ".join(f"{x_at(x):.1f},{y_at(y):.1f}" for x, y in points)
        lines.append(f'<polyline class="c{i}" points="{at}"/>')
        if len(points) < 12:
            lines += [f'<circle class="c{i}" cx="{x_at(x):.1f}" cy="{y_at(y):.1f}" r="3"/>' for x, y in points]
        legend.append(f'<span><i class="c{i}"></i>{escape(label)} <b>{_number(points[-1][1])}</b></span>')
        data.append([[round(x_at(x), 1), _number(x), _number(y)] for x, y in points])
    unit = f" <small>{escape(chart.unit)}</small>" if chart.unit else ""
    return f"""<figure data-points='{json.dumps(data, separators=(",", ":"))}'>
<figcaption>{escape(chart.title)}{unit}</figcaption>
<div class="legend">{"".join(legend)}<span class="at"></span></div>
<svg viewBox="0 0 {WIDTH} {HEIGHT}" role="img" aria-label="{escape(chart.title)} over kimg">{"".join(grid)}
<text x="{(WIDTH + LEFT - RIGHT) / 2}" y="{HEIGHT - 4}" text-anchor="middle">{X_LABEL}</text>
{"".join(lines)}<line class="cursor" y1="{TOP}" y2="{HEIGHT - BOTTOM}" x1="-9" x2="-9"/></svg>
</figure>"""


def _number(x: float) -> str:
    return f"{x:.3g}" if abs(x) < 1000 else f"{x:,.0f}"
