"""The stream of training images: a function of the position, read ahead in the background without changing it."""

from __future__ import annotations

import threading
import time

import numpy as np
import pytest
import torch
from tiny_run import tiny_config, tiny_images

from stylegan.data import Dataset, open_dataset, prepare
from stylegan.errors import DataError
from stylegan.training.loop import train


@pytest.fixture(autouse=True)
def _isolated(tmp_path, monkeypatch):
    monkeypatch.setenv("STYLEGAN_CACHE", str(tmp_path / "cache"))


@pytest.fixture(params=["folder", "shards"])
def dataset(request, tmp_path) -> Dataset:
    images = tiny_images(tmp_path / "in", count=25)
    if request.param == "folder":
        return open_dataset(images, mirror=True)
    prepare(images, tmp_path / "shards", shards=3)
    return open_dataset(tmp_path / "shards", mirror=True)


@pytest.fixture
def gate(monkeypatch):
    """Reading images waits until this is set; the positions that were read are in `gate.read`."""
    gate, read = threading.Event(), Dataset.images
    gate.read = []

    def waiting(dataset, indices):
        gate.read.append(np.asarray(indices).tolist())
        gate.wait(20)
        return read(dataset, indices)

    monkeypatch.setattr(Dataset, "images", waiting)
    yield gate
    gate.set()


@pytest.mark.parametrize("ahead", [True, False])
def test_the_images_are_those_at_the_indices_whether_read_ahead_or_not(dataset, ahead):
    stream, other = dataset.stream(7), dataset.stream(7)
    for start in range(0, 120, 8):
        if ahead:
            stream.prefetch(start, 8)
        assert torch.equal(stream.images(start, 8), dataset.images(other.indices(start, 8)))


def test_ranks_see_what_one_process_would_see(tmp_path):
    dataset = open_dataset(tiny_images(tmp_path / "in", count=25))
    whole = dataset.stream(3).indices(40, 12)
    parts = [dataset.stream(3, rank, 3).indices(40, 12) for rank in range(3)]
    assert np.concatenate(parts).tolist() == whole.tolist()


def test_images_come_in_the_background_and_one_can_ask_whether_they_have_come(dataset, gate):
    stream = dataset.stream(0)
    stream.prefetch(0, 8)
    assert not stream.ready(0, 8, timeout_s=0.01)
    gate.set()
    assert stream.ready(0, 8, timeout_s=20)
    assert len(stream.images(0, 8)) == 8
    assert len(gate.read) == 1


def test_another_position_than_the_one_read_ahead_gives_its_own_images(dataset):
    """This happens after a return to a snapshot, and where the batch grows."""
    stream = dataset.stream(0)
    stream.prefetch(8, 8)
    assert torch.equal(stream.images(0, 8), dataset.images(dataset.stream(0).indices(0, 8)))
    stream.prefetch(8, 8)
    assert torch.equal(stream.images(8, 4), dataset.images(dataset.stream(0).indices(8, 4)))


def test_what_fails_in_the_background_is_raised_where_the_images_are_taken_and_can_be_tried_again(dataset, monkeypatch):
    stream, pixels = dataset.stream(0), type(dataset.pixels)
    with monkeypatch.context() as broken:
        broken.setattr(pixels, "__getitem__", lambda *_: (_ for _ in ()).throw(DataError("img7.png is damaged.")))
        stream.prefetch(0, 8)
        assert stream.ready(0, 8, timeout_s=20)
        with pytest.raises(DataError, match=r"img7\.png is damaged"):
            stream.images(0, 8)
    assert len(stream.images(0, 8)) == 8


def test_labels_of_generated_images_are_drawn_from_those_that_the_stream_shows(tmp_path):
    prepare(tiny_images(tmp_path / "in", count=9, classes=3), tmp_path / "out.zip")
    dataset = open_dataset(tmp_path / "out.zip", use_labels=True)
    assert list(dataset.stream(0).label_indices(0)) == list(range(9))
    one_each = dataset.stream(0, balanced=True).label_indices(0)
    assert dataset.labels(one_each).argmax(1).tolist() == [0, 1, 2]


# training


def test_training_reads_each_batch_once_and_none_beyond_its_end(tmp_path, gate):
    gate.set()
    list(train(tiny_config(tiny_images(tmp_path / "in")), tmp_path))
    steps = [indices for indices in gate.read if len(indices) == 8]
    expected = open_dataset(tmp_path / "in").stream(0)
    assert steps == [expected.indices(start, 8).tolist() for start in range(0, 64, 8)]


def test_an_image_that_cannot_be_read_ends_training_at_the_step_that_needs_it(tmp_path, monkeypatch):
    steps, seen, read = [], [], Dataset.images

    def third_fails(dataset, indices):
        if len(indices) == 8:
            steps.append(indices)
            if len(steps) == 3:
                raise DataError("an image is damaged.")
        return read(dataset, indices)

    monkeypatch.setattr(Dataset, "images", third_fails)
    with pytest.raises(DataError, match="an image is damaged"):
        for tick in train(tiny_config(tiny_images(tmp_path / "in"), tick_kimg=0.008), tmp_path):
            seen.append(tick.nimg)
    assert seen == [8, 16]


def test_a_run_that_waits_for_images_stops_at_once_with_a_snapshot(tmp_path, gate):
    stop, forever = threading.Event(), threading.Event()

    def third_never_comes(timeout):
        if len([indices for indices in gate.read if len(indices) == 8]) == 3:
            stop.set()
            forever.wait(60)

    gate.wait = third_never_comes
    start = time.monotonic()
    assert [tick.nimg for tick in train(tiny_config(tiny_images(tmp_path / "in")), tmp_path, stop=stop)] == [16]
    assert time.monotonic() - start < 50
    forever.set()
    assert (tmp_path / "snapshots/000000").is_dir()
