from __future__ import annotations

import pytest

from stylegan.data.class_folders import class_folders, folder_labels


def classes(names, **options):
    labels = folder_labels(class_folders(names, **options))
    return labels.class_names if labels else None


def test_class_folders_are_numbered_in_sorted_order():
    labels = folder_labels(class_folders(["dog/1.png", "cat/2.png", "cat/deep/3.png"]))
    assert labels.by_name == {"dog/1.png": 1, "cat/2.png": 0, "cat/deep/3.png": 0}
    assert labels.class_names == ["cat", "dog"]


def test_a_folder_around_all_classes_is_looked_through():
    assert classes(["animals/cat/1.png", "animals/dog/1.png"]) == ["cat", "dog"]


@pytest.mark.parametrize(
    "names",
    [
        ["1.png", "2.png"],
        ["cat/1.png", "cat/2.png"],
        ["cat/1.png", "dog/1.png", "3.png"],
        ["00000/img00000000.png", "00001/img00001000.png"],
    ],
)
def test_other_layouts_have_no_class_folders(names):
    assert classes(names) is None


def test_a_image_beside_the_class_folders_has_no_class():
    assert class_folders(["cat/1.png", "3.png"]) == {"cat/1.png": "cat", "3.png": None}
