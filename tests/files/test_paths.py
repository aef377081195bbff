"""Paths as people type them."""

import os
from pathlib import Path

import pytest
import torch
from tiny_generator import tiny_generator
from tiny_run import tiny_images

import stylegan
from stylegan.data import open_dataset
from stylegan.errors import ConfigError, OutputError
from stylegan.files.atomic import atomic_file, atomic_folder
from stylegan.files.cache import default_cache
from stylegan.files.paths import local_path, refuse_name_of_file
from stylegan.images.video import save_video


@pytest.fixture(autouse=True)
def home(tmp_path, monkeypatch):
    (tmp_path / "home").mkdir()
    (tmp_path / "here").mkdir()
    monkeypatch.setenv("HOME", str(tmp_path / "home"))
    monkeypatch.setenv("STYLEGAN_CACHE", "~/cache")
    monkeypatch.chdir(tmp_path / "here")
    return tmp_path / "home"


def test_the_home_folder_is_replaced_at_the_beginning_only(home):
    for typed in ("~/x.zip", Path("~/x.zip"), "$HOME/x.zip", "${HOME}/x.zip"):
        assert local_path(typed) == home / "x.zip"
    assert (local_path("~"), local_path("$HOME")) == (home, home)
    for name in ("x~/y", "./~/x", "/a/$HOME/b", "$HOMER/x", "price$", "x y"):
        assert local_path(name) == Path(name)


def test_every_function_of_the_package_that_takes_a_path_expands_it(home):
    image = torch.zeros(3, 8, 8, dtype=torch.uint8)
    stylegan.save_png(image, "~/one.png")
    save_video([image], "~/loops/one.gif")
    save_video([image], "~/frames/")
    stylegan.save(stylegan.Checkpoint(G_ema=tiny_generator()), "~/network")
    assert stylegan.load("~/network", device="cpu").img_resolution == 16
    assert stylegan.load_checkpoint(Path("~/network")).G_ema is not None
    tiny_images(home / "images")
    stylegan.prepare("~/images", "~/sets/tiny.zip")
    assert len(open_dataset("~/sets/tiny.zip")) == 24
    run = stylegan.train("~/sets/tiny.zip", "~/runs", cfg="tiny16", kimg=0.008, device="cpu")
    assert run.folder.parent == home / "runs"
    assert stylegan.train(resume=f"~/runs/{run.folder.name}", kimg=0.016).folder == run.folder
    names = {"cache", "frames", "images", "loops", "network", "one.png", "runs", "sets"}
    assert {path.name for path in home.iterdir()} == names
    assert default_cache() == home / "cache"
    assert os.listdir() == []


def test_a_folder_that_ends_like_a_file_is_refused_unless_it_exists(home):
    for name in ("out.png", "runs.ZIP", "x.mp4"):
        with pytest.raises(
            ConfigError, match=rf"images are folders, but {name} ends like a file; leave out \{name[-4:]}"
        ):
            refuse_name_of_file(Path(name), "images are folders")
    for name in ("gamma0.8", "v1.2", "out"):
        refuse_name_of_file(Path(name), "images are folders")
    Path("old.zip").mkdir()
    refuse_name_of_file(Path("old.zip"), "images are folders")


@pytest.mark.skipif(os.name == "nt", reason="Windows limits whole paths")
@pytest.mark.parametrize("write", [atomic_file, atomic_folder])
def test_a_name_that_is_too_long_is_named_with_its_length(write):
    sentence = r"the name y{40}\.\.\. has 260 characters, too many for this disk; choose a shorter one"
    with pytest.raises(OutputError, match=sentence), write("y" * 260):
        pass
