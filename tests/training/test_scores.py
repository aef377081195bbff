"""Metrics of a run: a line for every snapshot, and a link to the best one."""

import json
import os
import re
import threading

import pytest
import torch
from moments import Moments
from run_cli import run_cli
from tiny_run import tiny_config, tiny_images

from stylegan.checkpoints import load
from stylegan.checkpoints.layout import TRAINING_FILES
from stylegan.checkpoints.snapshots import discriminator_features
from stylegan.data import open_dataset, prepare
from stylegan.errors import CheckpointError, ConfigError
from stylegan.files.checksums import sha256_of
from stylegan.metrics.distances import DISTANCES
from stylegan.metrics.equivariance import equivariance
from stylegan.metrics.features import DETECTORS
from stylegan.metrics.fid import fid
from stylegan.metrics.protocol import Score
from stylegan.metrics.torchscript import network_name
from stylegan.networks.family import discriminator_class
from stylegan.runs.scores import append_score, drop_scores_after, link_best, read_scores
from stylegan.runs.tensorboard import with_tensorboard
from stylegan.training.assemble import Images, from_preset
from stylegan.training.config import read_config
from stylegan.training.loop import train
from stylegan.training.run import new_run_folder
from stylegan.training.scores import load_detectors

METRIC = "fid20_moments"


class Others(Moments):
    name = "others"


@pytest.fixture(autouse=True)
def moments(tmp_path, monkeypatch):
    """The list of the detectors that were loaded."""
    loaded = []

    def load_moments(device):
        loaded.append(Moments())
        return loaded[-1]

    monkeypatch.setitem(DETECTORS, "moments", load_moments)
    monkeypatch.setenv("STYLEGAN_CACHE", str(tmp_path / "cache"))
    return loaded


@pytest.fixture
def images(tmp_path):
    return tiny_images(tmp_path / "images")


def scored(images, tmp_path, **changes):
    config = tiny_config(images, metrics=[METRIC], **changes)
    return config, new_run_folder(tmp_path, config, "scored")


def lines_of(run, metric=METRIC):
    path = run / f"metric-{metric}.jsonl"
    return [json.loads(line) for line in path.read_text().splitlines()] if path.exists() else []


def test_every_snapshot_is_scored_and_the_best_one_draws(images, tmp_path):
    config, run = scored(images, tmp_path, kimg=0.096, keep_snapshots=1, **{"data.mirror": True})
    ticks = list(train(config, run))
    lines = lines_of(run)
    assert [tick.scores for tick in ticks] == [line["results"] for line in lines]
    names = ["000000", "000000.064", "000000.096"]
    assert [line["snapshot_pkl"] for line in lines] == [f"snapshots/{name}" for name in names]
    assert [line["kimg"] for line in lines] == [0.032, 0.064, 0.096]
    dataset = open_dataset(images)
    assert {(line["metric"], line["fakes"], line["reals"], line["data_fingerprint"]) for line in lines} == {
        (METRIC, 20, 24, f"{dataset.fingerprint}-{dataset.selection}")  # not mirrored
    }
    values = {line["snapshot_pkl"]: line["results"][METRIC] for line in lines}
    best = os.readlink(run / "best")
    assert values[best] == min(values.values())
    G = load(run / "best", device="cpu").to(memory_format=torch.channels_last)  # as training keeps it: bit for bit
    assert fid(G.for_inference("auto"), dataset, Moments(), num=20).value == values[best]
    assert "Distance from real images" in (run / "index.html").read_text()
    assert not (run / "snapshots" / "000000.064" / TRAINING_FILES[0]).exists()  # --keep 1
    assert run_cli("generate", "--network", run / "best", "--outdir", tmp_path / "out").code == 0


def test_training_does_not_depend_on_its_scores(images, tmp_path):
    config, run = scored(images, tmp_path)
    plain = config.model_copy(update={"metrics": ()})
    without = new_run_folder(tmp_path, plain, "plain")
    losses = [
        [tick.stats["Loss/G/loss"] for tick in train(c, folder)] for c, folder in ((config, run), (plain, without))
    ]
    assert losses[0] == losses[1]
    assert not lines_of(without)
    assert not (without / "best").exists()


def test_score_through_the_network_that_the_discriminator_uses_is_marked_everywhere(images, tmp_path, monkeypatch):
    monkeypatch.setattr(discriminator_class("stylegan2"), "feature_network", "moments")
    monkeypatch.setitem(DETECTORS, "others", Others)
    config = tiny_config(images, kimg=0.032, metrics=[METRIC, "fid20_others"])
    run = new_run_folder(tmp_path, config, "judged")
    (tick,) = with_tensorboard(train(config, run), run)
    assert tick.same_as_discriminator == {METRIC}
    assert re.search(rf"{METRIC} [\d.]+ \(features of the discriminator\)  fid20_others [\d.]+$", str(tick))
    assert [lines_of(run, name)[0]["same_as_discriminator"] for name in (METRIC, "fid20_others")] == [True, False]
    page = (run / "index.html").read_text()
    assert f"{METRIC} (features of the discriminator) <b>" in page
    assert "fid20_others <b>" in page
    assert discriminator_features(run / "best") == "moments"
    result = run_cli("metrics", "--network", run, "--data", images, "--metrics", f"{METRIC},fid20_others")
    first, second = result.out.splitlines()
    assert re.match(rf"{METRIC} [\d.]+ \(features of the discriminator\): 20 images of ", first)
    assert re.match(r"fid20_others [\d.]+: 20 images of ", second)
    assert [line["same_as_discriminator"] for line in lines_of(run)] == [True, True]
    accumulator = pytest.importorskip("tensorboard.backend.event_processing.event_accumulator")
    scalars = accumulator.EventAccumulator(str(run)).Reload().Tags()["scalars"]
    assert [name for name in scalars if name.startswith("Metrics/")] == [
        f"Metrics/{METRIC} (features of the discriminator)",
        "Metrics/fid20_others",
    ]


def test_a_metric_that_fails_is_a_warning(images, tmp_path, monkeypatch):
    def fail(*arguments):
        raise RuntimeError("out of memory\nand much more")

    monkeypatch.setattr(Moments, "__call__", fail)
    config, run = scored(images, tmp_path, kimg=0.032)
    with pytest.warns(
        RuntimeWarning, match=rf"{METRIC} of 000000 was not measured: out of memory; training continues\."
    ):
        (tick,) = train(config, run)
    assert (tick.scores, lines_of(run)) == ({}, [])
    assert load(run, device="cpu").img_resolution == 16


def test_a_stop_ends_measuring_too(images, tmp_path, monkeypatch):
    stop = threading.Event()
    measure = Moments.__call__
    monkeypatch.setattr(Moments, "__call__", lambda self, images: stop.set() or measure(self, images))
    config, run = scored(images, tmp_path, kimg=1)
    with pytest.warns(RuntimeWarning, match="was not measured: the run was stopped"):
        ticks = list(train(config, run, stop=stop))
    assert [tick.nimg for tick in ticks] == [32, 40]
    assert lines_of(run) == []


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        (
            {"metrics": ["kid50k"]},
            "`metrics`: kid50k needs a network that it sees images through; use one that works offline, as in "
            "kid50k_efflite0, kid50k_efflite2, kid50k_mobilenetv2 or kid50k_moments, or give its TorchScript "
            "file as `feature_net`.",
        ),
        (
            {"metrics": [METRIC, "eqt1k_frac"]},
            "eqt1k_frac can be measured with stylegan3 only, not with stylegan2; leave it out of the metrics.",
        ),
        (
            {"metrics": ["fid8_class_moments"]},
            "fid8_class_moments needs the labels of the data; train with `data.labels`, or measure snapshots "
            "afterwards.",
        ),
        (
            {"metrics": [METRIC], "channels": 4},
            f"{METRIC} takes gray or RGB images, got 4 channels; leave this metric out.",
        ),
    ],
)
def test_what_cannot_be_measured_is_refused_before_the_run_in_one_sentence(changes, message):
    with pytest.raises(ConfigError) as error:
        tiny_config("unused", **changes)
    assert str(error.value) == message


class Means(torch.nn.Module):
    def forward(self, x):
        return torch.cat([x.mean([2, 3]), x[:, :, ::2].mean([2, 3])], 1)


@pytest.mark.filterwarnings("ignore:`torch.jit.script` is deprecated")
def test_the_network_of_a_file_scores_snapshots_under_the_name_of_the_file(images, tmp_path):
    file = tmp_path / "Inception-2015.pt"
    torch.jit.script(Means()).save(str(file))
    own = network_name(file)
    names = ["fid20", f"kid20_{own}", METRIC]
    config = tiny_config(images, metrics=names, kimg=0.032, feature_net=str(file), feature_range=(-1, 1))
    assert list(config.metrics) == [f"fid20_{own}", f"kid20_{own}", METRIC]
    run = new_run_folder(tmp_path, config, "file")
    (tick,) = train(config, run)
    assert list(tick.scores) == list(config.metrics)
    (line,) = lines_of(run, f"fid20_{own}")
    assert (line["resize"], line["detector_sha256"]) == ("none, -1 to 1", sha256_of(file))
    assert os.readlink(run / "best") == line["snapshot_pkl"]
    file.unlink()
    assert read_config(run / "config.json") == config  # the configuration is readable without the file
    with pytest.raises(CheckpointError, match="2015.pt is no file; give a TorchScript file, inception-2015-12-05 or"):
        load_detectors(config)
    with pytest.raises(ConfigError, match=rf"sees images through the file {own}, and no `feature_net` is given; give"):
        load_detectors(tiny_config(images, metrics=[f"fid20_{own}"]))
    with pytest.raises(ConfigError, match="the official name of .* takes 2,048 features, and this network has 6"):
        torch.jit.script(Means()).save(str(file))
        tiny_config(images, metrics=["fid50k_full"], feature_net=str(file))


def test_a_stylegan3_is_scored_by_its_equivariance_too(images, tmp_path):
    names = [METRIC, "eqt8_int", "eqr8"]
    losses = []
    for metrics in (names, []):
        changes = {"device": "cpu", "kimg": 0.032, "tick_kimg": 0.032, "snap_ticks": 1, "metrics": metrics}
        config = from_preset("stylegan3-t-tiny16", Images(images, 16), changes)
        run = new_run_folder(tmp_path, config, "alias-free")
        (tick,) = train(config, run)
        losses.append(tick.stats["Loss/G/loss"])
        assert list(tick.scores) == metrics
    assert losses[0] == losses[1]
    (run, _) = sorted(tmp_path.glob("*-stylegan3-*"))
    G = load(run, device="cpu").for_inference("fp32")
    (line,) = lines_of(run, "eqr8")
    assert line["results"]["eqr8"] == pytest.approx(equivariance(G, "eqr", num=8).value)
    assert "Equivariance to rotations <small>dB" in (run / "index.html").read_text()


def test_a_snapshot_is_measured_with_every_kind_of_metric(tmp_path, monkeypatch):
    class Difference:
        name, resize, sha256 = "efflite0", "none", None

        def __call__(self, a, b):
            return (a - b).square().mean((1, 2, 3))

    monkeypatch.setitem(DISTANCES, "efflite0", lambda device: Difference())
    data = tmp_path / "classes.zip"
    prepare(tiny_images(tmp_path / "classes", classes=3), data)
    names = [METRIC, "fid8_class_moments", "kid20_moments", "recall20_moments", "coverage20_moments",
             "authenticity20_moments", "dci20_w_moments", "ppl8_wend_efflite0"]  # fmt: skip
    changes = {"kimg": 0.032, "metrics": names, "label_dim": 3}
    config = tiny_config(data, **changes)
    run = new_run_folder(tmp_path, config, "classes")
    (tick,) = train(config, run)
    assert list(tick.scores) == names
    (line,) = lines_of(run, "fid8_class_moments")
    assert set(line["details"]["classes"]) == {"class0", "class1", "class2"}
    assert len(line["network_sha256"]) == 64
    assert line["nimg"] == 32


@pytest.fixture
def run(tmp_path):
    """Three scores; the second is the best."""
    for kimg, value in ((1, 30.0), (2, 10.0), (3, 20.0)):
        add(tmp_path, kimg, value)
    link_best(tmp_path, [METRIC])
    return tmp_path


def add(run, kimg, value, **changes):
    snapshot = run / "snapshots" / f"{kimg:06d}"
    snapshot.mkdir(parents=True, exist_ok=True)
    (snapshot / "config.json").write_text(json.dumps({"nimg": kimg * 1000}))
    protocol = {"detector": "moments", "resize": "none", "fakes": 20, "reals": 9, "data": "x", "data_fingerprint": "f"}
    score = Score(name=METRIC, value=value, **{**protocol, "seed": 0, **changes})
    append_score(run, score, snapshot, kimg * 1000, seconds=1.0, gpus=0)


def best(run):
    return os.readlink(run / "best")


def test_a_snapshot_that_took_the_name_of_the_scored_one_is_not_the_best(run):
    (run / "snapshots/000002/config.json").write_text('{"nimg": 2040}')
    link_best(run, [METRIC])
    assert best(run) == "snapshots/000003"


def test_the_best_is_the_lowest_of_those_that_exist(run):
    assert best(run) == "snapshots/000002"
    (run / "snapshots/000002/config.json").unlink()
    link_best(run, [METRIC])
    assert best(run) == "snapshots/000003"
    assert {p.name for p in run.iterdir()} == {"best", "snapshots", f"metric-{METRIC}.jsonl"}


def test_scores_measured_otherwise_are_not_compared(run):
    add(run, 3, 1.0, reals=8)
    add(run, 3, 2.0, seed=1)
    assert [record["nimg"] for record in read_scores(run)[METRIC]] == [1000, 2000, 3000]
    link_best(run, [METRIC])
    assert best(run) == "snapshots/000002"


def test_resuming_from_an_older_snapshot_forgets_the_scores_after_it(run):
    with (run / f"metric-{METRIC}.jsonl").open("a") as file:
        file.write('{"results": {')  # cut short by a crash
    for nimg, left, link in ((2000, [1000, 2000], "000002"), (1000, [1000], "000001")):
        drop_scores_after(run, nimg, [METRIC])
        assert [line["nimg"] for line in lines_of(run)] == left
        assert best(run) == f"snapshots/{link}"
    drop_scores_after(run, 0, [METRIC])
    assert not os.path.lexists(run / "best")


def test_disk_without_links_is_a_warning(run, monkeypatch):
    def refuse(*arguments):
        raise OSError(1, "Operation not permitted")

    monkeypatch.setattr(os, "symlink", refuse)
    with pytest.warns(
        RuntimeWarning, match=r"best cannot be a link .*: .*Operation not permitted.*see metric-\*\.jsonl"
    ):
        link_best(run, [METRIC])


def test_the_command_line_scores_too_and_resumes_with_other_metrics(images, tmp_path):
    options = ("--cfg", "tiny16", "--device", "cpu", "--tick", "0.032", "--snap", "1", "--outdir", tmp_path / "runs")
    result = run_cli("train", "--data", images, *options, "--kimg", "0.032", "--metrics", METRIC)
    assert result.code == 0, result.err
    (run,) = (tmp_path / "runs").iterdir()
    (line,) = lines_of(run)
    assert re.search(rf"^tick 1 .* {METRIC} {line['results'][METRIC]:.4f}$", result.out, re.MULTILINE)
    assert run_cli("train", "--resume", run, "--kimg", "0.064", "--metrics", "none").code == 0
    assert lines_of(run) == [line]
    assert json.loads((run / "config.json").read_text())["metrics"] == []
    result = run_cli("train", "--data", images, "--metrics", "fid50k_full", "--outdir", tmp_path / "runs")
    assert (result.code, "fid50k_full needs the network Inception, which" in result.err) == (2, True)
