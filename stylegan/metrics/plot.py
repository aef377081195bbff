"""A chart of the scores of several networks."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

from stylegan.errors import MissingExtra
from stylegan.files.atomic import atomic_file
from stylegan.metrics.protocol import SAME_FEATURES, Score
from stylegan.metrics.registry import meaning_of


def score_plot(scores: Mapping[str, Sequence[Score]], dest: Path | str) -> None:
    """Draw one bar chart for each metric, with a bar for each network, to a PNG.

    Bars are hatched where the discriminator of a network has the feature network of the score, and the axis says so.

    Args:
        scores: name of a network -> its scores, in the order of the metrics.
    Raises: MissingExtra without matplotlib; OutputError.
    """
    try:
        from matplotlib.figure import Figure
    except ImportError as error:
        raise MissingExtra("plots need matplotlib. Install it with: pip install 'stylegan[plots]'") from error
    columns = list(zip(*scores.values(), strict=True))
    width = 3.2 * len(columns) + 0.09 * max(map(len, scores))  # inches, with room for the names
    figure = Figure(figsize=(width, 1.6 + 0.4 * len(scores)), layout="constrained")
    for i, (axes, column) in enumerate(zip(figure.subplots(1, len(columns), squeeze=False)[0], columns, strict=True)):
        meaning = meaning_of(column[0].name)
        same = [score.same_as_discriminator for score in column]
        hatches = ["//" if hatched else "" for hatched in same]
        axes.barh(
            range(len(scores)), [score.value for score in column], color="#4269d0", hatch=hatches, edgecolor="white"
        )
        axes.set_yticks(range(len(scores)), list(scores) if i == 0 else [""] * len(scores))
        axes.invert_yaxis()
        better = "lower is better" if meaning.lower_is_better else "higher is better"
        axes.set(title=column[0].name, xlabel=f"{meaning.unit}; {better}" + f"\nhatched: {SAME_FEATURES}" * any(same))
        axes.spines[["top", "right"]].set_visible(False)
    with atomic_file(dest) as temporary:
        figure.savefig(temporary, format="png", dpi=120)
