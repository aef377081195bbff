"""The page of a run, its curves, and what else is written after every tick."""

import json
import math
import re

import pytest
from tiny_run import tiny_config, tiny_images

from stylegan.runs.charts import MAX_POINTS, draw_charts, nice_ticks, points_of
from stylegan.runs.page import write_run_page
from stylegan.training.loop import train
from stylegan.training.run import new_run_folder


@pytest.fixture(scope="module")
def run(tmp_path_factory):
    """A finished run of two ticks, whose name looks like markup, and its page after each tick."""
    folder = tmp_path_factory.mktemp("runs")
    config = tiny_config(tiny_images(folder / "images"))
    run = new_run_folder(folder, config, "images")
    run = run.rename(folder / "<b>run & co")
    pages = [(run / "index.html").read_text() for _ in train(config, run)]
    return run, pages


def test_page_exists_from_the_first_tick_and_reloads_until_the_end(run):
    _, (during, after) = run
    assert "Training: 0.0 of 0.064 kimg" in during
    assert "if (30000) setTimeout" in during
    assert "Finished: 0.1 of 0.064 kimg" in after
    assert "if (0) setTimeout" in after


def test_page_refers_to_images_of_the_run_and_to_no_other_place(run):
    folder, (_, page) = run
    references = set(re.findall(r"""(?:src|href)="([^"]*)""", page))
    assert references == {"reals.png", "fakes000000.064.png"}
    assert all((folder / name).is_file() for name in references)
    moments = json.loads(re.search(r"const moments = (.*?), slider", page)[1])
    assert moments == [
        ["before training", "fakes_init.png"],
        ["0 kimg", "fakes000000.png"],
        ["0.064 kimg", "fakes000000.064.png"],
    ]
    assert not re.search(r"https?:|//[a-z]|url\(|@import|fetch\(", page)
    assert "<b>run" not in page
    assert "$" not in page


def test_page_has_a_labeled_chart_for_each_thing_that_was_measured(run):
    page = run[1][-1]
    titles = re.findall(r"<figcaption>([^<]*)", page)
    assert [t.strip() for t in titles] == [
        "Loss", "Score of the discriminator", "Certainty of the discriminator", "Variety of generated images",
        "R1 penalty", "Path length", "Time",
    ]  # fmt: skip
    assert page.count("kimg (thousand images seen)") == len(titles)


def test_alarms_and_replaced_values_are_shown_on_the_page(tmp_path):
    record = {
        "nimg": 64, "timestamp": 0, "Timing/sec_per_kimg": {"mean": 1.0}, "Loss/G/loss": {"mean": math.nan},
        "alarms": ["collapse: <all> alike."], "nonfinite": {"G.b4.weight": 3, "others": 2},
    }  # fmt: skip
    write_run_page(tmp_path, tiny_config("unused").info, [record], finished=False)
    page = (tmp_path / "index.html").read_text()
    assert "Collapse: &lt;all&gt; alike." in page
    assert "G.b4.weight (3), others (2)" in page
    assert "nan" not in re.sub(r"<script>.*?</script>|<style>.*?</style>", "", page, flags=re.DOTALL)


def test_curve_goes_through_its_points():
    records = [{"nimg": n * 1000, "Augment/p": {"mean": p}} for n, p in ((5, 0.0), (10, 0.5))]
    figure = draw_charts(records)
    (points,) = re.findall(r'<polyline class="c0" points="([^"]*)"', figure)
    assert points == "258.0,184.0 470.0,96.0"  # half way and right, bottom and middle
    assert "<b>0.5</b>" in figure
    assert draw_charts([{"nimg": 5}]) == ""


def test_means_over_a_tick_that_a_stop_cut_short_are_left_out_of_the_curve():
    records = [
        {"nimg": n * 1000, "Loss/G/loss": {"mean": y}, "Health/diversity": {"mean": y}, "Augment/p": {"mean": y}}
        for n, y in ((10, 1), (20, 1), (21, 9), (30, 1), (40, 1), (41, 9))
    ]
    loss, *others = re.findall(r"data-points='([^']*)'", draw_charts(records))
    assert [at for _, at, _ in json.loads(loss)[0]] == ["10", "20", "30", "40"]
    assert [len(json.loads(points)[0]) for points in others] == [6, 6]  # measured at a moment
    assert "<polyline" in draw_charts(records[:1])


def test_each_metric_has_a_curve():
    scores = {"fid5k_x": [{"nimg": n, "results": {"fid5k_x": y}} for n, y in ((2000, 7.5), (1000, 30))]}
    figure = draw_charts([], scores)
    assert "Distance from real images" in figure
    assert [point[1:] for point in json.loads(re.search(r"data-points='([^']*)'", figure)[1])[0]] == [
        ["1", "30"],
        ["2", "7.5"],
    ]


def test_equivariance_is_drawn_in_decibels_where_it_is_finite():
    lines = [{"nimg": 1000, "results": {"eqr8": y}} for y in (9.0, math.inf)]
    figure = draw_charts([], {"eqr8": lines})
    assert "Equivariance to rotations <small>dB" in figure
    assert draw_charts([], {"eqr8": lines[1:]}) == ""


def test_long_curves_are_thinned_to_means_with_the_newest_last():
    records = [{"nimg": n * 1000, "x": {"mean": n % 2}} for n in range(10 * MAX_POINTS)]
    points = points_of(records, "x")
    assert len(points) == MAX_POINTS
    assert points[-1] == (10 * MAX_POINTS - 1, 0.5)
    assert points_of([{"nimg": 0, "x": {"mean": math.inf}}], "x") == []


@pytest.mark.parametrize(
    ("low", "high", "ticks"),
    [
        (-1, 1, [-1, -0.5, 0, 0.5, 1]),
        (0, 173, [0, 50, 100, 150, 200]),
        (0.11, 0.18, [0.1, 0.12, 0.14, 0.16, 0.18]),
        (3, 3, [1, 2, 3, 4, 5]),
        (0, 0, [-1, -0.5, 0, 0.5, 1]),
    ],
)
def test_axes_have_round_numbers(low, high, ticks):
    assert nice_ticks(low, high) == pytest.approx(ticks)
