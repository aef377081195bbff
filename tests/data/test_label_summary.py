"""The labels of a data set in a few words, whether or not they are used."""

import json

import pytest
from tiny_run import tiny_images

from stylegan import prepare
from stylegan.data.label_summary import label_summary
from stylegan.data.open import open_dataset


def with_labels(folder, **content):
    (tiny_images(folder, count=6) / "dataset.json").write_text(json.dumps(content))
    return folder


def pairs(*values):
    return [[f"{i:03d}.png", value] for i, value in enumerate(values)]


@pytest.mark.parametrize(
    ("content", "words"),
    [
        ({"labels": pairs(0, 1, 2, 0, 1, 2)}, "3 classes"),
        ({"labels": pairs(0, 1, 0, 1, 0, 1), "class_names": ["cat", "dog"]}, "2 classes (cat, dog)"),
        ({"labels": pairs(*range(6)), "class_names": list("abcdef")}, "6 classes (a, b, c, d, e, ...)"),
        ({"labels": pairs(*[[0, 1]] * 6), "label_names": ["smile", "hat"]}, "2 values (smile, hat)"),
        ({"labels": pairs(*[[0, 1]] * 6)}, "2 values"),
        ({"labels": None}, ""),
        ({"labels": pairs(0, 1)}, ""),  # of some images only: they cannot be used
    ],
)
def test_labels_are_counted_and_named(tmp_path, content, words):
    assert label_summary(open_dataset(with_labels(tmp_path / "data", **content))) == words


def test_a_set_without_labels_has_no_summary(tmp_path):
    assert label_summary(open_dataset(tiny_images(tmp_path / "data", count=2))) == ""


def test_shards_say_the_same(tmp_path):
    tiny_images(tmp_path / "pets", count=6, classes=2)
    prepare(tmp_path / "pets", tmp_path / "shards", shards=4)
    assert label_summary(open_dataset(tmp_path / "shards")) == "2 classes (class0, class1)"
