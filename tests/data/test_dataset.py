from __future__ import annotations

import json
import os
import re
import shutil
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
import torch
from PIL import Image

from stylegan.data import open_dataset, prepare
from stylegan.data.sources import FolderSource
from stylegan.errors import DataError
from stylegan.images.pixels import to_float


@pytest.fixture(autouse=True)
def cache(tmp_path, monkeypatch):
    monkeypatch.setenv("STYLEGAN_CACHE", str(tmp_path / "cache"))
    return tmp_path / "cache" / "data"


def save(path: Path, img: np.ndarray) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.fromarray(img[:, :, 0] if img.shape[2] == 1 else img).save(path)


def noise(height=8, width=8, channels=3, seed=0):
    return np.random.RandomState(seed).randint(0, 256, (height, width, channels)).astype(np.uint8)


def write_folder(folder: Path, n=5, channels=3, labels=None) -> Path:
    for index in range(n):
        save(folder / f"{index}.png", noise(channels=channels, seed=index))
    if labels is not None:
        content = {"labels": [[f"{index}.png", label] for index, label in enumerate(labels)]}
        (folder / "dataset.json").write_text(json.dumps(content))
    return folder


# images


@pytest.mark.parametrize("channels", [1, 3, 4])
def test_images_come_as_they_were_saved_in_name_order(tmp_path, channels):
    dataset = open_dataset(write_folder(tmp_path / "faces.v1", channels=channels))
    assert (dataset.name, dataset.resolution, dataset.channels, len(dataset)) == ("faces", 8, channels, 5)
    assert dataset.image(3).dtype == torch.uint8
    assert (dataset.image(3).permute(1, 2, 0).numpy() == noise(channels=channels, seed=3)).all()
    batch = dataset.images([4, 0, 4])
    assert batch.shape == (3, channels, 8, 8)
    assert torch.equal(batch[1], dataset.image(0))


def test_zip_and_folder_hold_the_same_images(tmp_path):
    write_folder(tmp_path / "in")
    prepare(tmp_path / "in", tmp_path / "out.zip")
    every = range(5)
    assert torch.equal(open_dataset(tmp_path / "in").images(every), open_dataset(tmp_path / "out.zip").images(every))


def test_mirror_appends_a_flipped_copy(tmp_path):
    dataset = open_dataset(write_folder(tmp_path / "in"), mirror=True)
    assert len(dataset) == 10
    assert torch.equal(dataset.images(range(5, 10)), dataset.images(range(5)).flip(3))


def test_a_batch_may_be_changed_without_changing_the_set(tmp_path):
    dataset = open_dataset(write_folder(tmp_path / "in"))
    kept = dataset.image(0).clone()
    dataset.images([0, 1]).zero_()
    assert torch.equal(dataset.image(0), kept)


@pytest.mark.parametrize("indices", [[1, 2], np.array([1, 2]), torch.tensor([1, 2]), range(1, 3)])
def test_indices_may_be_any_sequence(tmp_path, indices):
    dataset = open_dataset(write_folder(tmp_path / "in"))
    assert torch.equal(dataset.images(indices)[1], dataset.image(2))


def test_max_images_is_the_sorted_start_of_the_official_shuffle(tmp_path):
    folder = write_folder(tmp_path / "in", n=10, labels=list(range(10)))
    dataset = open_dataset(folder, max_images=4, seed=7, use_labels=True, mirror=True)
    order = np.arange(10)
    np.random.RandomState(7).shuffle(order)
    chosen = sorted(order[:4].tolist())
    assert dataset.labels(range(8)).argmax(1).tolist() == chosen * 2
    assert torch.equal(dataset.image(2), open_dataset(folder).image(chosen[2]))
    assert dataset.label_dim == 10
    assert len(open_dataset(folder, max_images=99)) == 10


def test_to_float_spans_minus_one_to_one():
    assert to_float(torch.tensor([0, 255], dtype=torch.uint8)).tolist() == [-1, 1]


# labels


def test_classes_are_one_hot_and_vectors_as_they_are(tmp_path):
    classes = open_dataset(write_folder(tmp_path / "a", n=3, labels=[2, 0, 2]), use_labels=True)
    assert classes.label_dim == 3
    assert classes.label(0).tolist() == [0, 0, 1]
    vectors = open_dataset(write_folder(tmp_path / "b", n=2, labels=[[0.5, 1], [2, 3]]), use_labels=True)
    assert vectors.labels([1, 0]).tolist() == [[2, 3], [0.5, 1]]
    assert vectors.labels([1, 0]).dtype == torch.float32


def test_labels_that_are_not_asked_for_have_no_width(tmp_path):
    dataset = open_dataset(write_folder(tmp_path / "a", n=3, labels=[2, 0, 2]))
    assert (dataset.label_dim, dataset.class_names, dataset.label_names) == (0, None, None)
    assert dataset.labels([0, 1]).shape == (2, 0)


def test_names_of_classes_are_known(tmp_path):
    for name in ("dog/1.png", "cat/1.png"):
        save(tmp_path / "in" / name, noise())
    prepare(tmp_path / "in", tmp_path / "out.zip")
    assert open_dataset(tmp_path / "out.zip", use_labels=True).class_names == ["cat", "dog"]


def test_members_of_a_class_are_all_its_images_in_the_subset_and_mirrored(tmp_path):
    folder = write_folder(tmp_path / "a", n=6, labels=[2, 0, 2, 4, 2, 0])
    dataset = open_dataset(folder, use_labels=True, max_images=5, mirror=True)
    assert sorted(np.concatenate(dataset.class_members)) == list(range(10))
    for members in dataset.class_members:
        assert len({tuple(row) for row in dataset.labels(members).tolist()}) == 1
    assert len(open_dataset(folder, use_labels=True).class_members) == 3  # of five, two have no image
    vectors = open_dataset(write_folder(tmp_path / "b", n=2, labels=[[0.5, 1], [2, 3]]), use_labels=True)
    with pytest.raises(DataError, match="has no class numbers, which balanced classes need"):
        _ = vectors.class_members


def test_missing_labels_get_a_sentence(tmp_path):
    with pytest.raises(DataError, match=r"has no labels; add a dataset.json with labels, or use it without"):
        open_dataset(write_folder(tmp_path / "a"), use_labels=True)
    with pytest.raises(DataError, match=r"has no label for 2 of 5 images, the first of them 3.png"):
        open_dataset(write_folder(tmp_path / "b", labels=[0, 1, 0]), use_labels=True)


# the cache


def test_the_cache_is_made_once_and_used_again(tmp_path, cache, monkeypatch):
    folder = write_folder(tmp_path / "in")
    first = open_dataset(folder)
    images = first.images(range(5))
    (file,) = cache.iterdir()
    assert file.name == f"{first.fingerprint}.npy"
    before = file.stat().st_ino
    monkeypatch.setattr("stylegan.data.pixels.ordered_map", None)  # nothing is decoded any more
    assert torch.equal(open_dataset(folder).images(range(5)), images)
    assert file.stat().st_ino == before


def test_opening_writes_nothing_and_reports_what_reading_will_write(tmp_path, cache):
    dataset = open_dataset(write_folder(tmp_path / "in"))
    assert (len(dataset), dataset.resolution, dataset.channels) == (5, 8, 3)
    assert dataset.cache_bytes_needed() == 5 * 3 * 8 * 8
    assert not cache.exists()
    dataset.image(0)
    assert dataset.cache_bytes_needed() == 0 == open_dataset(tmp_path / "in").cache_bytes_needed()


def test_filling_the_cache_can_be_watched_and_happens_once(tmp_path):
    watched = []

    def track(images, what, total):
        watched.append((what, total))
        for image in images:
            watched.append(image.shape)
            yield image

    dataset = open_dataset(write_folder(tmp_path / "in"))
    for _ in range(2):
        dataset.fill_cache(track)
    what, total = watched[0]
    assert (total, watched[1:]) == (5, [(3, 8, 8)] * 5)
    assert re.fullmatch(rf"Decoding {tmp_path}/in into {tmp_path}/cache/data \(9.6e-07 GB\)", what)


def test_sets_unused_for_the_longest_time_leave_the_cache_once_its_bound_is_met(tmp_path, cache):
    folders = [write_folder(tmp_path / name) for name in "abc"]
    each = 5 * 3 * 8 * 8
    gb = (2 * (each + 128)) / 1e9  # two files with their headers
    a, b, c = (open_dataset(folder, cache_gb=gb) for folder in folders)
    a.image(0)
    b.image(0)
    for age, dataset in ((300, a), (200, b)):
        os.utime(cache / f"{dataset.fingerprint}.npy", (time.time() - age,) * 2)
    open_dataset(folders[0], cache_gb=gb).image(0)  # a is used again
    assert c.cache_bytes_needed() == 0  # in the place of another
    c.image(0)
    assert {file.stem for file in cache.iterdir()} == {a.fingerprint, c.fingerprint}
    assert torch.equal(b.image(0), open_dataset(folders[1]).image(0))  # which was mapped, and remains readable


@pytest.mark.parametrize("bytes_in_memory", [0, 3 * 3 * 8 * 8, 1 << 30])
def test_a_set_beyond_the_bound_is_read_from_its_source_with_one_warning(tmp_path, cache, monkeypatch, bytes_in_memory):
    monkeypatch.setattr("stylegan.data.pixels._BYTES_IN_MEMORY", bytes_in_memory)
    write_folder(tmp_path / "in")
    prepare(tmp_path / "in", tmp_path / "out.zip")
    for path in (tmp_path / "in", tmp_path / "out.zip"):
        dataset = open_dataset(path, cache_gb=1e-9, mirror=True)
        assert dataset.cache_bytes_needed() == 0
        expected = open_dataset(path, mirror=True, cache=tmp_path / "other").images([3, 0, 3, 9, 1])
        with pytest.warns(RuntimeWarning, match="at every use, which is slower: .*cache_gb allows 1e-09 GB") as warned:
            batches = [dataset.images([3, 0, 3, 9, 1]) for _ in range(3)]
        assert len(warned) == 1
        assert all(torch.equal(batch, expected) for batch in batches)
        assert dataset.images([]).shape == (0, 3, 8, 8)
    assert not cache.exists()


def test_many_threads_and_processes_that_need_a_set_decode_it_once(tmp_path, monkeypatch):
    folder, decoded = write_folder(tmp_path / "in"), []
    real = FolderSource.image
    monkeypatch.setattr(FolderSource, "image", lambda source, name: decoded.append(name) or real(source, name))
    sets = [open_dataset(folder) for _ in range(3)]
    with ThreadPoolExecutor(9) as pool:
        images = list(pool.map(lambda dataset: dataset.images(range(5)), sets * 3))
    assert all(torch.equal(image, images[0]) for image in images)
    assert sorted(decoded) == [f"{i}.png" for i in range(5)]


def test_a_changed_image_is_seen(tmp_path):
    folder = write_folder(tmp_path / "in")
    open_dataset(folder).image(0)
    save(folder / "0.png", noise(seed=99))
    assert (open_dataset(folder).image(0).permute(1, 2, 0).numpy() == noise(seed=99)).all()


@pytest.mark.parametrize("damage", [b"", b"not numpy", None])
def test_a_damaged_cache_is_made_again(tmp_path, cache, damage):
    folder = write_folder(tmp_path / "in")
    expected = open_dataset(folder).images(range(5))
    (file,) = cache.iterdir()
    file.write_bytes(file.read_bytes()[:-100] if damage is None else damage)
    assert torch.equal(open_dataset(folder).images(range(5)), expected)


def test_without_a_writable_cache_the_images_are_read_from_the_source(tmp_path):
    (tmp_path / "file").write_text("x")
    dataset = open_dataset(write_folder(tmp_path / "in"), cache=tmp_path / "file")
    with pytest.warns(
        RuntimeWarning, match="in are decoded at every use, .* and cannot write .*; choose another place"
    ):
        assert (dataset.image(3).permute(1, 2, 0).numpy() == noise(seed=3)).all()


def test_without_room_on_the_disk_the_images_are_read_from_the_source(tmp_path, monkeypatch):
    monkeypatch.setattr(shutil, "disk_usage", lambda folder: SimpleNamespace(free=100))
    dataset = open_dataset(write_folder(tmp_path / "in"))
    with pytest.warns(RuntimeWarning, match=r"data has 1e-07 GB free; set STYLEGAN_CACHE to a folder with more"):
        assert (dataset.image(3).permute(1, 2, 0).numpy() == noise(seed=3)).all()


def test_a_failed_start_leaves_no_cache_behind(tmp_path, cache):
    folder = write_folder(tmp_path / "in")
    save(folder / "9.png", noise(4, 4))
    with pytest.raises(DataError):
        open_dataset(folder).image(0)
    assert list(cache.iterdir()) == []


# sets that cannot be


def test_missing_and_empty_sets_get_a_sentence(tmp_path):
    with pytest.raises(DataError, match="there is nothing at"):
        open_dataset(tmp_path / "missing")
    (tmp_path / "empty").mkdir()
    with pytest.raises(DataError, match="holds no images; make a data set"):
        open_dataset(tmp_path / "empty")


@pytest.mark.parametrize(
    ("odd", "message"),
    [
        (noise(16, 16), r"9.png of .* is 16x16 with 3 channels, but 0.png is 8x8 with 3 channels; make them equal"),
        (noise(8, 8, 1), r"9.png of .* is 8x8 with 1 channel, but 0.png is 8x8 with 3 channels"),
    ],
)
def test_mixed_sets_name_the_odd_image_and_both_kinds(tmp_path, odd, message):
    folder = write_folder(tmp_path / "in")
    save(folder / "9.png", odd)
    dataset = open_dataset(folder)
    with pytest.raises(DataError, match=message):
        dataset.image(0)


@pytest.mark.parametrize(
    ("img", "message"), [(noise(8, 16), "a.png .* is 16x8, not square"), (noise(6, 6), "6 is no power of two")]
)
def test_sides_must_be_equal_powers_of_two(tmp_path, img, message):
    save(tmp_path / "in/a.png", img)
    with pytest.raises(DataError, match=message):
        open_dataset(tmp_path / "in")


def test_a_damaged_image_is_named(tmp_path):
    folder = write_folder(tmp_path / "in")
    (folder / "2.png").write_bytes((folder / "2.png").read_bytes()[:60])
    dataset = open_dataset(folder)
    with pytest.raises(DataError, match=r"2.png of .* is damaged: it cannot be read"):
        dataset.image(0)


def test_a_damaged_first_image_is_named_when_the_set_is_opened(tmp_path):
    folder = write_folder(tmp_path / "in")
    (folder / "0.png").write_bytes(b"x")
    with pytest.raises(DataError, match=r"0.png of .* is damaged: it is empty, damaged or not one of"):
        open_dataset(folder)


def test_mirror_y_appends_copies_that_are_upside_down(tmp_path):
    folder = write_folder(tmp_path / "in")
    plain = open_dataset(folder)
    n = len(plain)
    images = plain.images(range(n))
    only = open_dataset(folder, mirror_y=True)
    both = open_dataset(folder, mirror=True, mirror_y=True)
    assert (len(only), len(both)) == (2 * n, 4 * n)
    assert torch.equal(only.images(range(2 * n)), torch.cat([images, images.flip(2)]))
    sideways = torch.cat([images, images.flip(3)])
    assert torch.equal(both.images(range(4 * n)), torch.cat([sideways, sideways.flip(2)]))
    assert len({plain.selection, only.selection, both.selection, open_dataset(folder, mirror=True).selection}) == 4


def test_class_folders_without_labels_name_the_function_that_makes_them(tmp_path):
    for name in ("cat", "dog"):
        write_folder(tmp_path / "pets" / name)
    with pytest.raises(
        DataError, match="has class folders and no dataset.json; make a data set with labels of it with"
    ):
        open_dataset(tmp_path / "pets", use_labels=True)
