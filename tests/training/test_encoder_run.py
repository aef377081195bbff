"""Training of encoders: what it learns, resuming, and what it refuses."""

import json

import numpy as np
import pytest
import torch
from PIL import Image
from tiny_generator import tiny_generator
from tiny_run import tiny_images

from stylegan.checkpoints import Checkpoint, save
from stylegan.errors import ConfigError, DataError
from stylegan.inversion.encoder import encode
from stylegan.inversion.encoder_file import load_encoder
from stylegan.inversion.w_statistics import random_ws
from stylegan.networks import stylegan3
from stylegan.training.encoder import resume_encoder, train_encoder

QUICK = {
    **{"device": "cpu", "perceptual_weight": 0, "examples": 64, "batch": 8},
    **{"kimg": 0.064, "tick_kimg": 0.032, "snap_ticks": 1},
}


@pytest.fixture(scope="module")
def network(tmp_path_factory):
    folder = tmp_path_factory.mktemp("networks") / "tiny"
    save(Checkpoint(G_ema=tiny_generator()), folder)
    return folder


def trained(network, outdir, **settings):
    run = train_encoder(network, outdir, **{**QUICK, **settings})
    return run, list(run)


def weights_of(run):
    return load_encoder(run.folder).state_dict()


def assert_same(a, b):
    assert a.keys() == b.keys()
    assert all(torch.equal(a[name], b[name]) for name in a)


def test_every_pass_improves_on_the_regression(network, tmp_path):
    run, ticks = trained(
        network, tmp_path, kimg=1.6, tick_kimg=0.8, batch=16, space="w", lr=0.01, examples=32, pixel_weight=0, passes=2
    )
    G, encoder = run.G, load_encoder(run.folder)
    ws = random_ws(G, None, 64, seed=5)
    images = G.synthesis(ws, noise_mode="const")

    def error(passes):
        return float((encode(G, encoder, images, passes=passes) - ws).square().mean())

    errors = [error(passes) for passes in range(3)]
    assert errors[1] < 0.8 * errors[0]
    assert errors[2] < errors[1]
    assert ticks[-1].stats["Loss/encoder/latent"]["mean"] < ticks[0].stats["Loss/encoder/latent"]["mean"]


@pytest.fixture(scope="module")
def photos(tmp_path_factory):
    return tiny_images(tmp_path_factory.mktemp("data"))


def test_a_resumed_run_equals_an_uninterrupted_one_and_a_run_repeats_itself(network, photos, tmp_path):
    settings = {"data": photos, "task": "inpaint", "perceptual_weight": 0}
    whole, ticks = trained(network, tmp_path, **settings)
    assert [tick.nimg for tick in ticks] == [32, 64]
    again, _ = trained(network, tmp_path, **settings)
    assert_same(weights_of(whole), weights_of(again))
    other, _ = trained(network, tmp_path, **settings, seed=1)
    assert not torch.equal(weights_of(whole)["hidden.weight"], weights_of(other)["hidden.weight"])
    run = train_encoder(network, tmp_path, **{**QUICK, **settings})
    for _ in run:
        run.stop()
    assert "from 0.032 kimg" not in run.headline
    resumed = resume_encoder(run.folder)
    assert "from 0.04 kimg" in resumed.headline  # `stop` ends the run after the next step
    list(resumed)
    assert_same(weights_of(whole), weights_of(resumed))
    with pytest.raises(ConfigError, match="is finished; start another with more `kimg`"):
        resume_encoder(run.folder)


def test_the_folder_of_a_run_has_the_files_of_every_run(network, tmp_path):
    run, ticks = trained(network, tmp_path, task="superres", input_px=4)
    assert run.folder.name == "00000-encoder-superres-tiny-batch8"
    names = {path.name for path in run.folder.iterdir()} - {".lock"}
    assert names == {
        *("config.json", "stats.jsonl", "log.txt", "index.html", "snapshots"),
        *("fakes_init.png", "fakes000000.png", "fakes000000.064.png"),
    }
    assert [tick.grid is not None for tick in ticks] == [True, True]
    lines = [json.loads(line) for line in (run.folder / "stats.jsonl").read_text().splitlines()]
    assert [line["nimg"] for line in lines] == [32, 64]
    assert "Images of the encoder" in (run.folder / "index.html").read_text()
    assert load_encoder(run.folder).settings.task.input_px == 4


def test_a_stylegan3_with_classes_has_encoders_too(tmp_path):
    size = {"num_layers": 4, "channel_base": 128, "channel_max": 16, "filter_size": 4}
    G = stylegan3.Generator(16, 3, 16, 16, 3, **size)
    save(Checkpoint(G_ema=G), tmp_path / "network")
    _, ticks = trained(tmp_path / "network", tmp_path, kimg=0.016, tick_kimg=0.016)
    assert np.isfinite(ticks[-1].stats["Loss/encoder/loss"]["mean"])
    with pytest.raises(ConfigError, match="classes 0..2, got class 7"):
        trained(tmp_path / "network", tmp_path, label="7")


@pytest.fixture(scope="module")
def maps(photos, tmp_path_factory):
    folder = tmp_path_factory.mktemp("maps")
    for file in photos.iterdir():
        with Image.open(file) as image:
            bright = np.array(image.convert("L")) > 128
        Image.fromarray(np.stack([255 * bright, 0 * bright, 0 * bright], 2).astype(np.uint8)).save(folder / file.name)
    return folder


@pytest.mark.parametrize("task", ["labels", "pairs"])
def test_pairs_of_files_are_learned(network, photos, maps, tmp_path, task):
    run, ticks = trained(network, tmp_path, task=task, data=photos, inputs=maps)
    assert "Loss/encoder/latent" not in ticks[-1].stats
    settings = load_encoder(run.folder).settings
    assert settings.task.channels(3) == (2 if task == "labels" else 3)
    assert settings.task.colors == (((0, 0, 0), (255, 0, 0)) if task == "labels" else ())


def test_what_cannot_be_trained_is_refused_before_a_folder_is_made(network, photos, maps, tmp_path):
    def refused(error, sentence, **settings):
        with pytest.raises(error, match=sentence):
            train_encoder(network, tmp_path / "runs", **{**QUICK, **settings})

    refused(ConfigError, "`task` is one of image, .*, got 'sketchy'", task="sketchy")
    refused(ConfigError, "the task pairs needs pairs of images; name the images with `data`", task="pairs")
    refused(ConfigError, "are made from images; leave out `inputs`", data=photos, inputs=maps)
    refused(ConfigError, "there is no setting 'depth'", depth=3)
    large = tiny_images(tmp_path / "large", size=32, count=2)
    refused(ConfigError, "has images of 32 pixels and 3 channels, and the network draws 16 and 3", data=large)
    fewer = tiny_images(tmp_path / "fewer", count=5)
    refused(DataError, "fewer has no image '005.png', which belongs to a pair", task="pairs", data=photos, inputs=fewer)
    refused(DataError, "fewer has no image '005.png'", task="pairs", data=fewer, inputs=maps)
    assert not (tmp_path / "runs").exists()


def test_a_run_whose_network_was_replaced_is_not_resumed(network, tmp_path):
    folder = tmp_path / "network"
    save(Checkpoint(G_ema=tiny_generator()), folder)
    run = train_encoder(folder, tmp_path / "runs", **QUICK)
    for _ in run:
        run.stop()
    G = tiny_generator()
    G.mapping.fc0.weight.data.mul_(1.1)
    save(Checkpoint(G_ema=G), folder)
    with pytest.raises(ConfigError, match="put that network back, or start a new run"):
        list(resume_encoder(run.folder))
    with pytest.raises(ConfigError, match="is not the run of an encoder"):
        resume_encoder(folder)
