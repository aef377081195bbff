"""Messages of the command line about the cache of decoded images, and when it is filled."""

from __future__ import annotations

import pytest
from run_cli import run_cli
from tiny_run import tiny_images

TRAIN = ("--cfg", "tiny16", "--kimg", "0.008", "--tick", "0.008", "--device", "cpu", "--force")


@pytest.fixture(autouse=True)
def cache(tmp_path, monkeypatch):
    monkeypatch.setenv("STYLEGAN_CACHE", str(tmp_path / "cache"))
    return tmp_path / "cache"


def test_a_dry_run_says_what_the_cache_will_take_and_writes_nothing(tmp_path, cache):
    data = tiny_images(tmp_path / "in", count=2000)
    result = run_cli("train", "--data", data, "--cfg", "tiny16", "--dry-run")
    assert result.code == 0
    assert "About 2 MB of cache for the decoded images." in result.err
    assert sorted(path.name for path in tmp_path.iterdir()) == ["in"]


def test_decoding_is_announced_once_and_not_when_the_cache_has_the_images(tmp_path, cache):
    data = tiny_images(tmp_path / "in")
    first, second = (run_cli("train", "--data", data, "--outdir", tmp_path / "runs", *TRAIN) for _ in range(2))
    assert first.err == f"Decoding {data} into {cache}/data (1.84e-05 GB) ...\n"
    assert (first.code, second.code, second.err) == (0, 0, "")


def test_training_beyond_the_bound_of_the_cache_warns_once_and_gives_the_same_networks(tmp_path, cache):
    data = tiny_images(tmp_path / "in")
    bound = ("--set", "data.cache_gb=1e-9")
    uncached = run_cli("train", "--data", data, "--outdir", tmp_path / "uncached", *TRAIN, *bound)
    assert not cache.exists()
    cached = run_cli("train", "--data", data, "--outdir", tmp_path / "cached", *TRAIN)
    assert (cached.code, uncached.code) == (0, 0)
    assert uncached.err == (
        f"Warning: the images of {data} are decoded at every use, which is slower: decoded they take 1.84e-05 GB, "
        "and cache_gb allows 1e-09 GB.\n"
    )
    weights = [next((tmp_path / name).glob("*/snapshots/*/generator.safetensors")) for name in ("cached", "uncached")]
    assert weights[0].read_bytes() == weights[1].read_bytes()


def test_a_damaged_image_ends_the_verb_before_the_folder_of_a_run_is_made(tmp_path):
    data = tiny_images(tmp_path / "in")
    (data / "007.png").write_bytes((data / "007.png").read_bytes()[:90])
    result = run_cli("train", "--data", data, "--outdir", tmp_path / "runs", *TRAIN)
    assert result.code == 1
    assert result.err.splitlines()[-1].startswith(f"Error: 007.png of {data} is damaged: ")
    assert not (tmp_path / "runs").exists()
