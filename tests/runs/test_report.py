"""The images and curves of a run folder."""

import json
import sys

import pytest
from PIL import Image
from tiny_run import tiny_config, tiny_images

from stylegan.errors import DataError, MissingExtra, OutputError
from stylegan.runs.report import LABEL_PX, loss_plot, time_strip


@pytest.fixture
def run(tmp_path):
    """A run folder with the grids of three moments, each of one color."""
    (tmp_path / "config.json").write_text(tiny_config(tiny_images(tmp_path / "images", count=1)).to_json())
    for name, color in (("_init", "red"), ("000009", "lime"), ("000010", "blue")):
        Image.new("RGB", (4 * 16, 4 * 16), color).save(tmp_path / f"fakes{name}.png")
    return tmp_path


def test_strip_goes_from_the_start_to_the_end(run, tmp_path):
    time_strip(run, tmp_path / "strip.png", seeds=5, min_px=40)
    strip = Image.open(tmp_path / "strip.png")
    assert strip.size == (3 * 48, LABEL_PX + 5 * 48)  # 16 px three times enlarged
    assert [strip.getpixel((x, LABEL_PX + 10)) for x in (10, 58, 106)] == [(255, 0, 0), (0, 255, 0), (0, 0, 255)]


def test_strip_of_few_moments_keeps_both_ends(run, tmp_path):
    time_strip(run, tmp_path / "strip.png", moments=2, min_px=16)
    strip = Image.open(tmp_path / "strip.png")
    assert [strip.getpixel((x, LABEL_PX + 1)) for x in (1, 17)] == [(255, 0, 0), (0, 0, 255)]


def test_run_without_grids_or_statistics_says_so(run, tmp_path):
    pytest.importorskip("matplotlib")
    with pytest.raises(DataError, match="expected the statistics of a run"):
        loss_plot(run, tmp_path / "plot.png")
    for path in run.glob("fakes*.png"):
        path.unlink()
    with pytest.raises(DataError, match="has no image grids yet; let it train"):
        time_strip(run, tmp_path / "strip.png")


def test_plot_shows_the_curves_of_the_page(run, tmp_path, monkeypatch):
    figure = pytest.importorskip("matplotlib.figure")
    shown = {}

    def look(figure, *arguments, **options):
        shown.update({
            axes.get_title(): {line.get_label(): line.get_xydata().tolist() for line in axes.lines}
            for axes in figure.axes
        })  # fmt: skip

    monkeypatch.setattr(figure.Figure, "savefig", look)
    records = [
        {"nimg": n * 1000, "Loss/G/loss": {"mean": n + 0.5}, "Health/scores/held_out": {"mean": -n}} for n in (1, 2)
    ]
    (run / "stats.jsonl").write_text("".join(json.dumps(record) + "\n" for record in records))
    with pytest.raises(OutputError):  # nothing was written
        loss_plot(run, tmp_path / "plot.png")
    assert shown == {
        "Loss": {"generator": [[1, 1.5], [2, 2.5]]},
        "Score of the discriminator": {"held out": [[1, -1], [2, -2]]},
    }


def test_plot_without_matplotlib_names_the_extra(run, tmp_path, monkeypatch):
    monkeypatch.setitem(sys.modules, "matplotlib.figure", None)
    with pytest.raises(MissingExtra, match=r"pip install 'stylegan\[plots\]'"):
        loss_plot(run, tmp_path / "plot.png")
