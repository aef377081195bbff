"""Stacked Fashion-MNIST: the stacks, the classifier of garments, and the count of modes."""

import json
import math
import sys
import zipfile
from pathlib import Path

import numpy as np
import pytest
import torch
from click.testing import CliRunner
from golden import fill
from PIL import Image

from stylegan.checkpoints import Checkpoint, save
from stylegan.data import open_dataset
from stylegan.data.prepare import prepare
from stylegan.networks.stylegan2 import Generator

sys.path.insert(0, str(Path(__file__).parents[2] / "benchmarks"))
import garments
import modes
import stacked_fashion
from modes import coverage, expected_kl, mode_of
from stacked_fashion import stack_indices, stacked


@pytest.fixture(scope="module")
def gray(tmp_path_factory) -> Path:
    """Ten classes of gray images of 32x32 that are easy to classify: bars at ten heights, eight of each."""
    folder = tmp_path_factory.mktemp("gray")
    rng = np.random.RandomState(0)
    for i in range(80):
        image = rng.randint(0, 60, [32, 32]).astype(np.uint8)
        image[3 * (i % 10) : 3 * (i % 10) + 4] += 190
        path = folder / f"class{i % 10}" / f"{i:02d}.png"
        path.parent.mkdir(exist_ok=True)
        Image.fromarray(image).save(path)
    prepare(folder, folder.with_suffix(".zip"))
    return folder.with_suffix(".zip")


@pytest.fixture(scope="module")
def weights(gray, tmp_path_factory) -> Path:
    folder = tmp_path_factory.mktemp("weights")
    result = run(garments, "--data", gray, "--test", gray, "--dest", folder, "--epochs", 40, "--threads", 1)
    assert result.startswith("Classified 100.00% of ")
    return folder


def run(script, *arguments: object) -> str:
    result = CliRunner().invoke(script.main, list(map(str, arguments)), catch_exceptions=False)
    assert result.exit_code == 0, result.output
    return result.output


def test_stacks_depend_on_the_seed_alone_and_use_all_garments():
    assert np.array_equal(stack_indices(50, 200, 3), stack_indices(50, 200, 3))
    assert not np.array_equal(stack_indices(50, 200, 3), stack_indices(50, 200, 4))
    assert set(stack_indices(50, 200, 3).ravel()) == set(range(50))


def test_each_channel_of_a_stack_is_one_garment(gray):
    dataset, indices = open_dataset(gray), np.array([[3, 1, 3], [7, 0, 2]])
    for stack, row in zip(stacked(dataset, indices), indices, strict=True):
        assert torch.equal(stack, torch.cat([dataset.image(i) for i in row]))


def test_equal_seeds_write_equal_data_sets_in_the_official_format(gray, tmp_path):
    for name in ("a.zip", "b.zip"):
        run(stacked_fashion, "--source", gray, "--dest", tmp_path / name, "--images", 5, "--seed", 1)
    assert (tmp_path / "a.zip").read_bytes() == (tmp_path / "b.zip").read_bytes()
    dataset = open_dataset(tmp_path / "a.zip")
    assert (len(dataset), dataset.channels, dataset.resolution, dataset.label_dim) == (5, 3, 32, 0)
    assert torch.equal(dataset.images(range(5)), stacked(open_dataset(gray), stack_indices(80, 5, 1)))
    with zipfile.ZipFile(tmp_path / "a.zip") as archive:
        assert json.loads(archive.read("dataset.json")) == {"labels": None}


def test_modes_are_numbered_by_their_digits():
    assert mode_of(torch.tensor([[0, 0, 0], [1, 2, 3], [9, 9, 9]])).tolist() == [0, 123, 999]


def test_even_modes_have_no_divergence_and_a_single_one_the_largest():
    assert coverage(torch.arange(1000).repeat(3)) == (1000, pytest.approx(0, abs=1e-12))
    assert coverage(torch.full([50], 7)) == (1, pytest.approx(math.log(1000)))
    assert coverage(torch.arange(500)) == (500, pytest.approx(math.log(2)))


def test_divergence_is_that_of_the_definition():
    counts = torch.tensor([1, 3, 4])
    p = counts / counts.sum()
    expected = sum(float(q * torch.log(q * 1000)) for q in p)
    assert coverage(torch.arange(3).repeat_interleave(counts)) == (3, pytest.approx(expected))


def test_chance_alone_makes_the_expected_divergence():
    drawn = torch.randint(1000, [25600], generator=torch.Generator().manual_seed(0))
    assert coverage(drawn).kl == pytest.approx(expected_kl(25600), rel=0.1)


def test_training_the_classifier_again_gives_the_same_weights(gray):
    first, second = (garments.trained(open_dataset(gray, use_labels=True), epochs=1).state_dict() for _ in range(2))
    assert all(torch.equal(first[name], second[name]) for name in first)


def test_real_stacks_are_assigned_to_their_modes(gray, weights, tmp_path):
    run(stacked_fashion, "--source", gray, "--dest", tmp_path / "stacks.zip", "--images", 30)
    line = run(modes, "--data", tmp_path / "stacks.zip", "--classifier", weights, "--json", tmp_path / "r.json")
    classes = open_dataset(gray, use_labels=True).labels(range(80)).argmax(1)
    true = coverage(mode_of(classes[stack_indices(80, 30, 0)]))
    assert line.startswith(f"{true.modes} of 1,000 modes, KL {true.kl:.4f}")
    result = json.loads((tmp_path / "r.json").read_text())
    assert (result["modes"], result["images"]) == (true.modes, 30)


def test_images_of_a_network_are_counted_and_depend_on_the_seed_alone(weights, tmp_path):
    save(
        Checkpoint(G_ema=fill(Generator(8, 0, 8, 32, 3, mapping_layers=2, channel_base=128, channel_max=8))),
        tmp_path / "G",
    )
    command = ("--network", tmp_path / "G", "--classifier", weights, "--images", 120, "--threads", 1)
    lines = [run(modes, *command) for _ in range(2)]
    assert lines[0] == lines[1]
    assert "120 images of" in lines[0]
