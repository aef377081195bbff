"""Attributes of a data set, and entropies."""

import json

import numpy as np
import pytest
from scipy.stats import entropy as scipy_entropy
from tiny_run import tiny_images

from stylegan.data import open_dataset
from stylegan.errors import DataError
from stylegan.metrics.attributes import binary_labels, entropy


def labeled(folder, rows, **names):
    tiny_images(folder, count=len(rows))
    labels = [[f"{i:03d}.png", row] for i, row in enumerate(rows)]
    (folder / "dataset.json").write_text(json.dumps({"labels": labels, **names}))
    return open_dataset(folder, use_labels=True, cache=folder.parent)


def test_values_above_their_middle_are_attributes_without_constant_rare_and_repeated_ones(tmp_path):
    columns = {
        "half": [0.0, 3.0] * 6,
        "opposite": [1.0, 0.0] * 6,
        "constant": [1.0] * 12,
        "rare": [1.0] + [0.0] * 11,
        "third": [0.0, 0.2, 0.9] * 4,
    }
    rows = np.array(list(columns.values())).T.tolist()
    y, names = binary_labels(labeled(tmp_path / "vectors", rows, label_names=list(columns)))
    assert names == ["half", "third"]
    assert y.T.tolist() == [[0, 1] * 6, [0, 0, 1] * 4]


def test_of_two_classes_one_is_an_attribute(tmp_path):
    y, names = binary_labels(labeled(tmp_path / "classes", [0, 1] * 5, class_names=["cat", "dog"]))
    assert names == ["cat"]
    assert y[:, 0].tolist() == [1, 0] * 5


def test_data_without_attributes_gets_a_sentence(tmp_path):
    with pytest.raises(DataError, match="one has no attribute with 4 images that have it and 4 that lack it"):
        binary_labels(labeled(tmp_path / "one", [[1.0, 2.0]] * 5))
    with pytest.raises(DataError, match="plain was opened without labels, which this metric needs as attributes"):
        binary_labels(open_dataset(tiny_images(tmp_path / "plain", count=2)))


def test_entropy_is_that_of_scipy_and_zero_for_nothing():
    p = np.random.RandomState(0).rand(4, 5)
    p[1] = 0
    expected = [0 if i == 1 else scipy_entropy(row) for i, row in enumerate(p)]
    assert entropy(p, 1) == pytest.approx(expected)
