"""The networks that ship with the library: small, complete, safe to open, and found by name."""

import json
import socket
from pathlib import Path

import pytest
import torch
from tiny_generator import tiny_generator

import stylegan
from stylegan.errors import CheckpointError
from stylegan.models import DEFAULT, FOLDER, bundled, find

MOST_BYTES = 8_000_000  # of all bundled networks together
NETWORKS = list(bundled())


@pytest.fixture(scope="module", params=NETWORKS)
def network(request):
    return stylegan.load(request.param, device="cpu")


def labels(G) -> list:
    return list(range(G.c_dim)) or [None]


def test_the_default_is_one_of_them():
    assert DEFAULT in NETWORKS


def test_all_together_are_small():
    files = [file for folder in bundled().values() for file in folder.rglob("*")]
    assert sum(file.stat().st_size for file in files) <= MOST_BYTES


@pytest.mark.parametrize("name", NETWORKS)
def test_a_folder_holds_only_text_and_tensors(name):
    assert {file.name for file in bundled()[name].iterdir()} == {
        "README.md",
        "config.json",
        "directions.npz",
        "generator_ema.safetensors",
    }


@pytest.mark.parametrize("name", NETWORKS)
def test_provenance_is_recorded(name):
    config = json.loads((bundled()[name] / "config.json").read_text(encoding="utf-8"))
    assert config["licence"] == "Apache-2.0"
    assert all(config[key] for key in ("origin", "draws", "nimg"))
    checkpoint = stylegan.load_checkpoint(name)
    assert (checkpoint.origin, checkpoint.licence) == (config["origin"], config["licence"])
    assert (checkpoint.G, checkpoint.D) == (None, None)


@pytest.mark.parametrize("name", NETWORKS)
def test_the_model_card_has_every_section(name):
    card = (bundled()[name] / "README.md").read_text(encoding="utf-8")
    sections = [line.removeprefix("## ") for line in card.splitlines() if line.startswith("## ")]
    assert sections == ["Data", "Recipe", "Scores", "Known weaknesses", "Licence"]
    assert f"stylegan generate --network {name} " in card


@pytest.mark.parametrize("name", NETWORKS)
def test_the_name_ends_in_the_resolution(name):
    G = stylegan.load(name, device="cpu")
    assert name.endswith(str(G.img_resolution))


def test_weights_are_float32_and_finite(network):
    assert {v.dtype for v in network.state_dict().values() if v.is_floating_point()} == {torch.float32}
    assert all(v.isfinite().all() for v in network.state_dict().values())


def test_images_have_the_stated_size_and_show_something(network):
    size = network.img_resolution
    for label in labels(network):
        images = stylegan.generate(network, [0, 1], label=label)
        assert images.shape == (2, network.img_channels, size, size)
        assert images.float().std() > 20
        assert not torch.equal(images[0], images[1])
        img = network.synthesis(network.mapping(*inputs(network, label)), noise_mode="const")
        assert img.isfinite().all()


def inputs(G, label) -> tuple:
    return stylegan.latents([0], G.z_dim), None if label is None else torch.eye(G.c_dim)[label][None]


def test_the_same_seed_gives_the_same_image(network):
    label = labels(network)[-1]
    assert torch.equal(*(stylegan.generate(network, [7], label=label) for _ in range(2)))


def test_a_class_is_chosen_by_its_name(network):
    for number, name in enumerate(network.class_names or []):
        named, numbered = (stylegan.generate(network, [3], label=label) for label in (name, number))
        assert torch.equal(named, numbered)


def test_fashion32_has_its_ten_classes():
    names = stylegan.load("fashion32", device="cpu").class_names
    assert len(names) == 10
    assert {"sneaker", "bag", "dress"} <= set(names)


@pytest.mark.parametrize("name", NETWORKS)
def test_opening_one_runs_no_code_and_needs_no_network_access(name, monkeypatch):
    def refuse(*args, **kwargs):
        raise AssertionError("opened a pickle or a socket")

    monkeypatch.setattr(socket, "socket", refuse)
    monkeypatch.setattr(torch, "load", refuse)
    monkeypatch.setattr("pickle.Unpickler", refuse)
    monkeypatch.setattr("pickle.loads", refuse)
    assert stylegan.load(name, device="cpu").img_resolution


def test_a_path_that_exists_wins_over_a_name(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    assert find(DEFAULT) == FOLDER / DEFAULT
    stylegan.save(stylegan.Checkpoint(G_ema=tiny_generator(), origin="mine"), DEFAULT)
    assert find(DEFAULT) == Path(DEFAULT)
    assert stylegan.load_checkpoint(DEFAULT).origin == "mine"


@pytest.mark.parametrize("source", ["avatars65", "nowhere/avatars64", "x" * 5000])
def test_an_unknown_name_gets_one_sentence_with_all_names(source):
    with pytest.raises(CheckpointError, match="does not exist; expected .* bundled network: avatars64") as error:
        stylegan.load(source)
    assert all(name in str(error.value) for name in NETWORKS)
    assert "\n" not in str(error.value)
