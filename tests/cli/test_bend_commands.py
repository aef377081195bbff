"""`stylegan bend` and `stylegan blend`"""

import numpy as np
import pytest
import torch
from golden import R
from PIL import Image
from run_cli import run, run_cli
from tiny_generator import tiny_generator

import stylegan
from stylegan.checkpoints import Checkpoint, save
from stylegan.editing import Bend, bent, blended, save_bends
from stylegan.sampling.generate import draw, to_latents


@pytest.fixture(scope="module")
def pair(tmp_path_factory):
    """A network, and one that was trained further from it."""
    folder = tmp_path_factory.mktemp("pair")
    tuned = tiny_generator()
    tuned.synthesis.b16.conv1.weight.add_(R(1, list(tuned.synthesis.b16.conv1.weight.shape)))
    save(Checkpoint(G_ema=tiny_generator(), licence="CC0-1.0"), folder / "first")
    save(Checkpoint(G_ema=tuned, licence="CC-BY-4.0"), folder / "second")
    return folder / "first", folder / "second"


def pixels(path):
    with Image.open(path) as image:
        return torch.from_numpy(np.array(image)).permute(2, 0, 1).short()


def test_bend_draws_with_the_bends_of_a_file_and_of_the_command(pair, tmp_path):
    save_bends([Bend(layer="b8.conv1", turn=45)], tmp_path / "bends.json")
    arguments = ["--network", pair[0], "--seeds", "1-2", "--trunc", "0.7", "--bends", tmp_path / "bends.json"]
    out = run("bend", *arguments, "--bend", "b16.conv1:multiply=2,noise=0.5,seed=3", "--outdir", tmp_path)
    assert f"Wrote 2 images to {tmp_path}" in out
    G = stylegan.load(pair[0], device="cpu")
    with bent(G, [Bend(layer="b8.conv1", turn=45), Bend(layer="b16.conv1", multiply=2, noise=0.5, seed=3)]):
        images = list(draw(G, to_latents(G, [1, 2], psi=0.7)))
    for seed, image in zip((1, 2), images, strict=True):
        assert (pixels(tmp_path / f"seed000{seed}-bent.png") - image.short()).abs().max() <= 1


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        ([], "Name what to change with --bend or --bends."),
        (["--bend", "b8.conv1"], "Invalid value for '--bend': a bend is written like b8.conv1:turn=20"),
        (["--bend", "b8.conv1:zoom=0"], "zoom of a bend is a number from 0.01 to 100, got 0.0."),
        (["--bend", "b8:turn=5"], "a layer of this network is one of b4.conv1"),
    ],
)
def test_bend_refuses_what_it_cannot_do_and_writes_nothing(pair, tmp_path, arguments, sentence):
    result = run_cli("bend", "--network", pair[0], "--seeds", "1", *arguments, "--outdir", tmp_path / "out")
    assert result.code == 2
    assert sentence in result.err
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize("name", ["between", "between.safetensors", "between.pt"])
def test_blend_writes_a_network_between_two(pair, tmp_path, name):
    result = run_cli("blend", *pair, tmp_path / name, "--alpha", "0.5", "--layers", "4-5")
    assert result.code == 0, result.err
    assert "both CC0-1.0 and CC-BY-4.0" in result.err
    a, b = (stylegan.load(path, device="cpu") for path in pair)
    G = stylegan.load(tmp_path / name, device="cpu")
    latents = to_latents(a, [1])
    expected = next(draw(blended(a, b, 0.5, [4, 5]), latents))
    assert (next(draw(G, latents)).short() - expected.short()).abs().max() <= 1
    again = run_cli("blend", *pair, tmp_path / name)
    assert again.code == 1
    assert "already exists" in again.err
    run("blend", *pair, tmp_path / name, "--force")


def test_blend_refuses_networks_that_do_not_fit(pair, tmp_path):
    result = run_cli("blend", pair[0], "avatars64", tmp_path / "x")
    assert result.code == 2
    assert "networks of one architecture and size can be blended" in result.err
    assert not (tmp_path / "x").exists()
