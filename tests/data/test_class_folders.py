from __future__ import annotations

import pytest

from stylegan.data.class_folders import class_folders, folder_labels, why_no_classes


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


@pytest.mark.parametrize(
    "folders",
    [
        ["train/cat", "train/dog", "test/cat", "test/dog"],
        ["training/cat", "testing/dog"],
        ["train/cat", "val/dog", "test/cat"],
        ["Train/cat", "TEST/dog", "Validation/cat"],
        ["images/train/cat", "images/test/dog"],
        ["train/images/cat", "test/images/dog"],
        ["training_set/training_set/cat", "test_set/test_set/dog"],
        ["seg_train/seg_train/cat", "seg_test/seg_test/dog"],
        ["train2017/cat", "val2017/dog", "unlabeled2017/cat"],
        ["cat/train", "cat/test", "dog/train"],
        ["cat/2019", "cat/2020", "dog/2019"],
        ["train/cat/a", "train/dog/a", "dev/cat/b"],
    ],
)
def test_classes_are_below_the_folders_that_split_a_set(folders):
    assert classes([f"{folder}/{i}.png" for i, folder in enumerate(folders)]) == ["cat", "dog"]


@pytest.mark.parametrize(
    "folders",
    [["train", "val", "test"], ["Training", "Testing"], ["train", "train/more", "test"], ["x/train", "x/val"]],
)
def test_splits_alone_are_no_classes_unless_folders_are_asked_for(folders):
    names = [f"{folder}/{i}.png" for i, folder in enumerate(folders)]
    assert classes(names) is None
    if not any("more" in folder for folder in folders):
        assert len(classes(names, explicit=True)) == len(folders)


@pytest.mark.parametrize(
    "folders",
    [
        ["bus", "car", "train"],
        ["steam_train", "express_train"],
        ["dev", "pred"],
        ["validity", "tested"],
        ["00001", "cat"],
    ],
)
def test_classes_that_resemble_splits_or_numbers_are_classes(folders):
    assert classes([f"{folder}/1.png" for folder in folders]) == sorted(folders)


def test_images_beside_splits_are_in_no_class_and_leave_the_level_of_the_classes():
    names = ["train/cat/1.png", "test/dog/2.png", "examples/x/3.png", "cover.png"]
    expected = {"train/cat/1.png": "cat", "test/dog/2.png": "dog", "examples/x/3.png": None, "cover.png": None}
    for explicit in (False, True):
        assert class_folders(names, explicit=explicit) == expected


def test_numbered_folders_are_classes_only_when_asked_for():
    names = ["00000/00000_1.ppm", "00001/00001_1.ppm"]
    assert classes(names) is None
    assert classes(names, explicit=True) == ["00000", "00001"]
    assert classes([f"train/{name}" for name in names] + ["test/00000/2.ppm"]) is None


def test_folders_that_could_be_meant_as_classes_are_explained():
    def why(*names):
        return why_no_classes(class_folders(names))

    assert "The folders 00000, 00001 and so on" in why("00000/1.ppm", "00001/2.ppm")
    note = "1 of 3 images are in no class folder, the first of them val/3.png; set `labels` to folders"
    assert note in why("train/cat/1.png", "train/dog/2.png", "val/3.png")
    for names in (["00000/img00000000.png", "00001/img00001000.png"], ["1.png", "2.png"], ["cat/1.png"]):
        assert why(*names) is None


def test_a_class_name_is_valid_text_even_if_its_folder_is_not():
    assert classes(["a\udce9/1.png", "b/2.png"]) == ["a\\udce9", "b"]
