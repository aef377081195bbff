"""A run: what it writes, and that it resumes as if it had never stopped."""

import json
import threading
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image
from safetensors.torch import load_file
from tiny_run import tiny_config, tiny_images

from stylegan.checkpoints import load, load_checkpoint
from stylegan.checkpoints.snapshots import newest_snapshot, nimg_of
from stylegan.data.prepare import prepare
from stylegan.errors import ConfigError
from stylegan.machine.processes import World
from stylegan.training import loop
from stylegan.training.batches import open_training_set
from stylegan.training.config import read_config
from stylegan.training.loop import train
from stylegan.training.run import new_run_folder
from stylegan.training.snapshot_grid import SnapshotGrid
from stylegan.training.state import create_state


@pytest.fixture(scope="module")
def images(tmp_path_factory) -> Path:
    return tiny_images(tmp_path_factory.mktemp("images"))


@pytest.fixture(scope="module")
def finished(images, tmp_path_factory) -> Path:
    """A run of two ticks."""
    config = tiny_config(images)
    run = new_run_folder(tmp_path_factory.mktemp("runs"), config, "images")
    torch.set_num_threads(1)
    ticks = list(train(config, run))
    assert [t.nimg for t in ticks] == [32, 64]
    assert all(torch.isfinite(torch.tensor(s["mean"])) for t in ticks for s in t.stats.values())
    return run


def assert_same_snapshot(a: Path, b: Path) -> None:
    files = sorted(p.name for p in a.iterdir())
    assert files == sorted(p.name for p in b.iterdir())
    for name in files:
        if name.endswith(".safetensors"):
            x, y = load_file(a / name), load_file(b / name)
            assert x.keys() == y.keys()
            assert all(torch.equal(x[key], y[key]) for key in x), name
    assert json.loads((a / "training.json").read_text()) == json.loads((b / "training.json").read_text())


def test_run_folder_holds_config_grids_statistics_and_snapshots(finished):
    assert finished.name == "00000-stylegan2-images-batch8-gamma1"
    assert {p.name for p in finished.iterdir()} == {
        "config.json", "reals.png", "fakes_init.png", "fakes000000.png", "fakes000000.064.png",
        "stats.jsonl", "snapshots", "index.html",
    }  # fmt: skip
    assert read_config(finished / "config.json") == tiny_config(Path(json.loads(
        (finished / "config.json").read_text())["data"]["path"]))  # fmt: skip
    lines = [json.loads(line) for line in (finished / "stats.jsonl").read_text().splitlines()]
    assert [line["nimg"] for line in lines] == [32, 64]
    for name in ("Loss/G/loss", "Loss/D/loss", "Loss/scores/real", "Loss/scores/fake", "Loss/pl_penalty"):
        assert set(lines[0][name]) == {"num", "mean", "std"}
    assert Image.open(finished / "reals.png").size == (16 * 16, 8 * 16)


def test_every_snapshot_and_its_grid_is_kept_also_within_one_kimg(finished):
    names = {path.name: nimg_of(path) for path in (finished / "snapshots").iterdir()}
    assert names == {"000000": 32, "000000.064": 64}
    grids = [(finished / f"fakes{name}.png").read_bytes() for name in names]
    assert grids[0] != grids[1]


def test_a_run_is_drawn_by_the_averaged_generator_of_its_newest_snapshot(finished):
    kept = load_file(finished / "snapshots/000000.064/generator_ema.safetensors")
    G = load(finished, device="cpu")
    assert not G.training
    assert G.state_dict().keys() == kept.keys()
    assert all(torch.equal(value, kept[name]) for name, value in G.state_dict().items())
    img = G(torch.randn(2, G.z_dim), noise_mode="const")
    assert img.shape == (2, 3, 16, 16)
    assert not torch.equal(img[0], img[1])


def test_image_grids_of_a_run_show_the_averaged_generator(finished, tmp_path):
    config = read_config(finished / "config.json")
    grid = SnapshotGrid(open_training_set(config.data, config.seed), 32, 8)
    trained = load_checkpoint(finished)
    for network in (trained.G, trained.G_ema):
        network.to(memory_format=torch.channels_last)  # as in training; another layout rounds differently
    expected = {
        "reals.png": grid.write_reals(tmp_path / "reals.png"),
        "fakes_init.png": grid.write_fakes(tmp_path / "init.png", create_state(config, torch.device("cpu")).G_ema),
        "fakes000000.064.png": grid.write_fakes(tmp_path / "G_ema.png", trained.G_ema),
    }
    for name, path in expected.items():
        assert np.array_equal(Image.open(finished / name), Image.open(path)), name
    other = grid.write_fakes(tmp_path / "G.png", trained.G)
    assert not np.array_equal(Image.open(finished / "fakes000000.064.png"), Image.open(other))


ADA = {"augment.mode": "ada", "augment.target": -0.5, "augment.ada_kimg": 0.1}  # rises at once


R3GAN = {"objective": "relativistic", "r1_interval": 1, "r2_gamma": 2.0}
APPROXIMATE = {**ADA, "r1_interval": 2, "r2_gamma": 2.0, "penalty": "approximate"}
ONE_STAGE = {**ADA, "one_stage": True}
RESUMED = {
    "fp32": {},
    "bf16": {"precision": "bf16"},
    "ada": ADA,
    "relativistic": R3GAN,
    "one stage": ONE_STAGE,
    "approximate": APPROXIMATE,
}


@pytest.mark.parametrize("changes", RESUMED.values(), ids=RESUMED)
def test_resumed_run_equals_uninterrupted_run(images, tmp_path, changes):
    long = tiny_config(images, kimg=0.096, **changes)
    whole, parts = (new_run_folder(tmp_path, long, name) for name in ("whole", "parts"))
    for _ in train(long, whole):
        pass
    for _ in train(long.model_copy(update={"kimg": 0.04}), parts):  # stops in the middle of a tick
        torch.rand(3)  # drawing random numbers outside changes nothing
    for _ in train(long, parts):
        pass
    assert_same_snapshot(newest_snapshot(whole), newest_snapshot(parts))


def test_strength_of_augmentation_is_kept_in_checkpoint_and_statistics(images, tmp_path):
    config = tiny_config(images, kimg=0.064, **ADA)
    run = new_run_folder(tmp_path, config, "ada")
    with pytest.warns(RuntimeWarning, match=r"augmentation is at p = 0\.80: images may begin to look augmented"):
        ticks = list(train(config.model_copy(update={"kimg": 0.32}), run))
    assert ticks[0].augment_p < 0.5
    assert load_checkpoint(run).augment_p == pytest.approx(0.8)
    lines = [json.loads(line)["Augment/p"]["mean"] for line in (run / "stats.jsonl").read_text().splitlines()]
    assert lines == sorted(lines)


@pytest.fixture
def steps(monkeypatch) -> list:
    """The weights of G before each step from now on, and the images and random numbers that the step begins with."""
    seen, step = [], loop.train_step

    def noted(state, config, batches):
        torch_state = torch.get_rng_state()
        numbers = torch.randn(64)
        torch.set_rng_state(torch_state)
        weights = [p.detach().clone() for p in state.G.parameters()]
        seen.append((weights, torch.cat([batch.real_img for batch in batches]), numbers))
        step(state, config, batches)

    monkeypatch.setattr(loop, "train_step", noted)
    return seen


def test_the_seed_decides_initial_weights_order_of_the_data_and_random_numbers(images, tmp_path, steps):
    for name, seed in (("first", 0), ("same", 0), ("other", 1)):
        config = tiny_config(images, seed=seed, kimg=0.016)
        list(train(config, new_run_folder(tmp_path, config, name)))
    first, same, other = steps[:2], steps[2:4], steps[4:]
    for (weights, img, numbers), (weights_2, img_2, numbers_2) in zip(first, same, strict=True):
        assert all(torch.equal(a, b) for a, b in zip(weights, weights_2, strict=True))
        assert torch.equal(img, img_2)
        assert torch.equal(numbers, numbers_2)
    for (weights, img, numbers), (weights_2, img_2, numbers_2) in zip(first, other, strict=True):
        assert not any(torch.equal(a, b) for a, b in zip(weights, weights_2, strict=True) if a.unique().numel() > 1)
        assert not torch.equal(img.flatten(1).sort(0).values, img_2.flatten(1).sort(0).values)
        assert not torch.equal(numbers, numbers_2)


def test_random_numbers_differ_from_rank_to_rank_and_from_step_to_step():
    config, state = tiny_config("unused"), create_state(tiny_config("unused"), torch.device("cpu"))
    drawn = []
    for state.rollbacks in range(2):
        for state.step in range(3):
            for rank in range(3):
                state.world = World(rank=rank, size=3)
                loop._seed_step(config, state)
                drawn.append(tuple(torch.randn(8).tolist()))
    assert len(set(drawn)) == 2 * 3 * 3


@pytest.mark.parametrize(
    ("settings", "beta"),
    [
        ({"ema_beta": 0.75}, lambda nimg: 0.75),
        ({"ema_kimg": 0.016, "ema_rampup": None}, lambda nimg: 0.5 ** (8 / 16)),
        ({"ema_kimg": 0.016, "ema_rampup": 0.5}, lambda nimg: 0.5 ** (8 / min(16, nimg / 2)) if nimg else 0),
    ],
)
def test_the_averaged_generator_is_the_moving_average_of_the_generators_of_all_steps(
    images, tmp_path, steps, settings, beta
):
    config = tiny_config(images, kimg=0.048, tick_kimg=0.048, micro_batch=4, **settings)
    run = new_run_folder(tmp_path, config, "average")
    list(train(config, run))
    trained = load_checkpoint(run)
    generators = [weights for weights, *_ in steps] + [list(trained.G.parameters())]
    average = generators[0]
    for i, weights in enumerate(generators[1:]):
        share = beta(8 * i)
        average = [a * share + b * (1 - share) for a, b in zip(average, weights, strict=True)]
    for mine, expected, last in zip(trained.G_ema.parameters(), average, generators[-1], strict=True):
        torch.testing.assert_close(mine, expected, rtol=1e-5, atol=1e-6)
        assert not torch.equal(mine, last)


def test_stop_ends_after_the_step_with_a_snapshot(images, tmp_path):
    config = tiny_config(images, kimg=10, snap_ticks=1000)
    run = new_run_folder(tmp_path, config, "stopped")
    stop = threading.Event()
    ticks = []
    for tick in train(config, run, stop=stop):
        ticks.append(tick)
        stop.set()
    assert [tick.nimg for tick in ticks] == [32, 40]
    assert [tick.snapshot for tick in ticks] == [None, run / "snapshots/000000"]


def test_stop_waits_for_nothing_but_the_snapshot(images, tmp_path, monkeypatch):
    """Images of a large network take longer than the sender of the signal waits."""
    config = tiny_config(images, kimg=10, snap_ticks=1, **{"data.held_out": 4})
    run = new_run_folder(tmp_path, config, "stopped")
    stop, drawn = threading.Event(), []
    draw = SnapshotGrid.write_fakes
    monkeypatch.setattr(SnapshotGrid, "write_fakes", lambda *args: drawn.append(stop.is_set()) or draw(*args))
    ticks = []
    for tick in train(config, run, stop=stop):
        ticks.append(tick)
        stop.set()
    assert drawn == [False, False]  # at the start and with the first tick
    assert [tick.grid is not None for tick in ticks] == [True, False]
    assert ["Health/diversity" in tick.stats for tick in ticks] == [True, False]
    assert json.loads((newest_snapshot(run) / "training.json").read_text())["nimg"] == ticks[-1].nimg == 40


def test_resumed_run_repeats_no_line_of_statistics(images, finished, tmp_path):
    config = tiny_config(images, kimg=0.064)
    run = new_run_folder(tmp_path, config, "lines")
    for _ in train(config, run):
        pass
    with (run / "stats.jsonl").open("a") as file:
        file.write('{"nimg": 96}\n{"nimg": 1')  # ticks after the last snapshot, the last cut short by a crash
    for _ in train(config.model_copy(update={"kimg": 0.128}), run):
        pass
    nimgs = [json.loads(line)["nimg"] for line in (run / "stats.jsonl").read_text().splitlines()]
    assert nimgs == [32, 64, 96, 128]


def test_data_of_another_shape_is_refused_with_both_values(images, tmp_path):
    gray = tiny_images(tmp_path / "gray", channels=1)
    config = tiny_config(images).model_copy(update={"data": tiny_config(gray).data})
    with pytest.raises(ConfigError, match=r"img_channels 3, but the data set .*gray has 1; train on data like that"):
        next(train(config, new_run_folder(tmp_path, config, "x")))


def test_other_labels_for_the_same_images_are_refused(tmp_path):
    data = tiny_images(tmp_path / "in", count=8)
    labels = [[f"{i:03d}.png", i % 2] for i in range(8)]
    (data / "dataset.json").write_text(json.dumps({"labels": labels}))
    config = tiny_config(data, label_dim=2, kimg=0.032)
    run = new_run_folder(tmp_path, config, "labeled")
    list(train(config, run))
    (data / "dataset.json").write_text(json.dumps({"labels": [[name, 1 - label] for name, label in labels]}))
    with pytest.raises(
        ConfigError, match="the labels of .*in are not those that the run was trained on; give the same"
    ):
        list(train(config.model_copy(update={"kimg": 0.064}), run))


@pytest.mark.parametrize("changes", [{"augment.mode": "fixed", "augment.p": 0.9}, {**ADA, "augment.ada_kimg": 0.01}])
def test_strong_augmentation_is_reported_whatever_the_mean_of_the_tick_was(images, tmp_path, changes):
    config = tiny_config(images, kimg=0.064, **changes)
    with pytest.warns(RuntimeWarning, match=r"augmentation is at p = 0\.[89]0: images may begin to look augmented"):
        list(train(config, new_run_folder(tmp_path, config, "strong")))


def test_gray_and_conditional_data_train_too(tmp_path):
    source = tiny_images(tmp_path / "source", channels=1, classes=3)
    prepare(source, tmp_path / "data.zip")
    config = tiny_config(tmp_path / "data.zip", channels=1, label_dim=3)
    run = new_run_folder(tmp_path, config, "data")
    *_, last = train(config, run)
    assert last.nimg == 64
    G = load(run, device="cpu")
    assert (G.c_dim, G.img_channels) == (3, 1)
    assert Image.open(run / "fakes_init.png").mode == "L"


def test_a_generator_learns_the_one_color_of_all_images(tmp_path):
    """A tiny network and its average draw nearly that color after 120 steps."""
    color = torch.tensor([230.0, 50.0, 150.0])
    img = Image.new("RGB", (16, 16), tuple(int(value) for value in color))
    (tmp_path / "color").mkdir()
    for i in range(8):
        img.save(tmp_path / f"color/{i}.png")
    config = tiny_config(tmp_path / "color", kimg=0.96, tick_kimg=0.96)
    run = new_run_folder(tmp_path, config, "color")
    (tick,) = train(config, run)
    off = {}
    for name in ("fakes_init", "fakes000000"):
        pixels = torch.from_numpy(np.array(Image.open(run / f"{name}.png"))).float()
        off[name] = float((pixels - color).abs().mean())
    assert off["fakes000000"] < off["fakes_init"] / 2
    trained = load_checkpoint(run)
    z = torch.randn(64, 32)
    for G in (trained.G, trained.G_ema):
        drawn = (G(z, noise_mode="const").mean((0, 2, 3)) + 1) * 127.5
        assert (drawn - color).abs().max() < 40  # of 256
    assert not torch.equal(trained.G.synthesis.b16.conv1.weight, trained.G_ema.synthesis.b16.conv1.weight)
    assert tick.stats["Loss/scores/real"]["mean"] > tick.stats["Loss/scores/fake"]["mean"]
