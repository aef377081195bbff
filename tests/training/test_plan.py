"""Plans of new and resumed runs: their data, what a resumed run may change, and what the reader has to know."""

import json
import shutil
from pathlib import Path

import pytest
from safetensors.torch import load_file
from tiny_run import tiny_config, tiny_images

from stylegan.checkpoints.snapshots import newest_snapshot
from stylegan.errors import ConfigError
from stylegan.training import resume, start
from stylegan.training.assemble import Given
from stylegan.training.plan import CHANGE_ROUNDING, CHANGEABLE, KEEP_NUMBERS, new_plan, resumed_plan

TINY = {"cfg": "tiny16", "device": "cpu", "precision": "fp32"}


def labeled(folder: Path) -> Path:
    labels = [[f"{i:03d}.png", i % 2] for i in range(12)]
    (tiny_images(folder, count=12) / "dataset.json").write_text(
        json.dumps({"labels": labels, "class_names": ["cat", "dog"]})
    )
    return folder


@pytest.fixture(scope="module")
def trained(tmp_path_factory):
    """A folder with a data set, and a run of it."""
    root = tmp_path_factory.mktemp("root")
    run = start(tiny_config(tiny_images(root / "data"), kimg=0.032, tick_kimg=0.016), root / "runs")
    list(run)
    return run.folder


@pytest.fixture
def run(trained, tmp_path):
    """A copy of the run."""
    return Path(shutil.copytree(trained, tmp_path / "run"))


@pytest.mark.parametrize("place", ["", "snapshots/000000.032", "best"])
def test_a_run_from_weights_trains_on_the_data_of_their_run(run, place):
    (run / "best").symlink_to(newest_snapshot(run))
    plan = new_plan(Given(assignments=TINY), run / place)
    assert plan.dataset.path == Path(json.loads((run / "config.json").read_text())["data"]["path"])
    assert plan.remarks == (f"Training on {plan.config.data.path}, the data of {run.resolve()}.",)


def test_a_run_from_conditional_weights_trains_on_their_labels_too_unless_turned_off(tmp_path):
    run = start(tiny_config(labeled(tmp_path / "pets"), label_dim=2, kimg=0.008), tmp_path / "runs")
    list(run)
    plan = new_plan(Given(assignments=TINY), run.folder)
    assert plan.dataset.label_dim == 2
    assert plan.remarks[0].endswith(f"the data of {run.folder}, with its labels.")
    assert new_plan(Given(assignments={**TINY, "data.labels": False}), run.folder).dataset.label_dim == 0


def test_a_run_from_weights_never_starts_on_the_embedded_faces(run, tmp_path):
    shutil.copytree(newest_snapshot(run), tmp_path / "alone")
    with pytest.raises(ConfigError, match=r"alone does not say which images to train on; name a data set with `data.p"):
        new_plan(Given(assignments=TINY), tmp_path / "alone")
    config = (run / "config.json").read_text()
    (run / "config.json").write_text(config.replace('/data"', '/lost"'))
    with pytest.raises(ConfigError, match=r"lost, which .*run was trained on, does not exist any more; name one with"):
        new_plan(Given(assignments=TINY), run)


def test_data_that_is_named_wins_over_that_of_the_weights(run, tmp_path):
    other = tiny_images(tmp_path / "other", count=8)
    plan = new_plan(Given(assignments={**TINY, "data.path": other}), run)
    assert (plan.dataset.path, plan.remarks) == (other, ())


@pytest.mark.parametrize(("kimg", "refused"), [(0.016, True), (0.032, True), (0.0325, True), (0.04, False)])
def test_a_run_resumes_only_beyond_what_is_done(run, kimg, refused):
    before = (run / "config.json").read_bytes()
    text = rf"is finished: it has been trained for 0.032 kimg, and `kimg` is {kimg}; give `kimg` a value above 0.032"
    if refused:
        with pytest.raises(ConfigError, match=text):
            resume(run, {"kimg": kimg})
    else:
        assert resume(run, {"kimg": kimg}).config.kimg == kimg
    assert (run / "config.json").read_bytes() == before


def test_a_finished_run_says_so(run):
    with pytest.raises(ConfigError, match=r"is finished: .*; give `kimg` a value above 0.032 to train it longer\."):
        resume(run)


def test_changes_that_keep_numbers_leave_the_weights_bit_for_bit(run, trained, tmp_path):
    whole = start(tiny_config(trained.parent.parent / "data", kimg=0.064), tmp_path / "whole")
    list(whole)
    changes = {
        "kimg": 0.064,
        "tick_kimg": 0.008,
        "snap_ticks": 3,
        "keep_snapshots": 1,
        "milestone_kimg": 0.05,
        "metrics": [],
        "feature_net": "vgg16",
        "feature_resize": "clean:224",
        "feature_range": [0, 1],
        "on_nan": "stop",
        "device": "cpu",
        "data.workers": 1,
        "data.cache_gb": 1,
        "data.path": trained.parent.parent / "data",
    }
    assert set(changes) == set(KEEP_NUMBERS)
    plan = resumed_plan(run, changes)
    assert plan.remarks == ()
    parts = resume(run, changes)
    list(parts)
    for name in ("generator", "discriminator", "generator_ema"):
        one, other = (load_file(newest_snapshot(folder) / f"{name}.safetensors") for folder in (whole.folder, run))
        assert all(one[key].equal(other[key]) for key in one)


@pytest.mark.parametrize(
    ("changes", "change"),
    [
        ({"micro_batch": 4}, "`micro_batch` 8 -> 4"),
        ({"precision": "bf16"}, "`precision` fp32 -> bf16"),
        ({"compile": True}, "`compile` False -> True"),
        ({"allow_tf32": True}, "`allow_tf32` False -> True"),
    ],
)
def test_changes_of_rounding_are_accepted_and_reported_in_one_line(run, changes, change):
    assert set(changes) <= set(CHANGE_ROUNDING)
    line = f"From here on, the run will not equal one without this change bit for bit: {change}."
    assert resumed_plan(run, changes).remarks == (line,)
    assert line in resume(run, {"kimg": 0.064, **changes}).headline.splitlines()
    same = {name: getattr(resumed_plan(run).config, name) for name in changes}
    assert resumed_plan(run, same).remarks == ()


def test_a_resumed_run_computes_in_fewer_images_at_once(run):
    again = resume(run, {"kimg": 0.048, "micro_batch": 4})
    assert [tick.nimg for tick in again][-1] == 48
    assert json.loads((run / "config.json").read_text())["micro_batch"] == 4


def test_automatic_precision_of_a_resumed_run_is_chosen_by_measurement(run, monkeypatch):
    from stylegan.machine.precision import Choice
    from stylegan.training import plan

    monkeypatch.setattr(plan, "best_precision", lambda device: Choice("bf16", "measured"))
    resumed = resumed_plan(run, {"precision": "auto"})
    assert (resumed.config.precision, resumed.precision_reason) == ("bf16", "measured")


def test_other_settings_stay(run):
    for name, value in {"batch": 16, "r1_gamma": 5, "seed": 1, "augment.mode": "ada", "generator.w_dim": 8}.items():
        assert name not in CHANGEABLE
        with pytest.raises(ConfigError, match=f"leave out {name}, or start a new run"):
            resumed_plan(run, {name: value})


def test_labels_that_are_not_used_are_reported_in_one_line(tmp_path):
    data = labeled(tmp_path / "pets")
    (remark,) = new_plan(Given(assignments={**TINY, "data.path": data})).remarks
    assert remark == (
        "The labels of the data, 2 classes (cat, dog), are not used; start the run with `data.labels` to use them."
    )
    assert new_plan(Given(assignments={**TINY, "data.path": data, "data.labels": True})).remarks == ()
    assert new_plan(Given(assignments={**TINY, "data.path": tiny_images(tmp_path / "plain")})).remarks == ()
    assert new_plan(Given(assignments=TINY)).remarks == ()  # embedded faces, which have labels


@pytest.mark.parametrize("name", ["cfg", "device", "data.path", "transfer.source"])
@pytest.mark.parametrize("value", [{"a": 1}, [1, 2], 5])
def test_settings_that_are_read_first_must_be_text(name, value):
    with pytest.raises(ConfigError, match=f"^`{name}` must be text, got "):
        new_plan(Given(assignments={**TINY, name: value}))
