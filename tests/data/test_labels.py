from __future__ import annotations

import json
import unicodedata

import numpy as np
import pytest

from stylegan.data.labels import (
    LabelList,
    empty_classes,
    entries_without_image,
    label_notes,
    label_table,
    parse_dataset_json,
)
from stylegan.errors import DataError


def parse(content):
    return parse_dataset_json(json.dumps(content).encode(), "dataset.json")


def test_classes_become_one_hot_rows_as_wide_as_the_largest_plus_one():
    table = label_table(LabelList({"a": 0, "b": 3}), ["b", "a"], "x")
    assert table.label_dim == 4
    rows = table.rows(np.array([0, 1, 0]))
    assert rows.dtype == np.float32
    assert rows.tolist() == [[0, 0, 0, 1], [1, 0, 0, 0], [0, 0, 0, 1]]


def test_an_absurd_class_number_is_named_before_it_becomes_the_width_of_a_label():
    message = "x gives b the class number 2000000000, expected less than 100000; number the classes 0, 1, 2 and so on"
    with pytest.raises(DataError, match=message):
        label_table(LabelList({"a": 0, "b": 2_000_000_000, "c": 5}), ["a", "b", "c"], "x")
    assert label_table(LabelList({"a": 0, "b": 99_999}), ["a", "b"], "x").label_dim == 100_000


def names_of(by_name, **names):
    labels = LabelList(by_name, **names)
    table = label_table(labels, sorted(by_name), "x")
    return table.class_names, table.label_names


def test_classes_have_a_name_each_or_none():
    assert names_of({"a": 0, "b": 1}, class_names=["cat", "dog"]) == (["cat", "dog"], None)
    assert names_of({"a": 0, "b": 0}, class_names=["cat", "dog"]) == (["cat"], None)  # no dog among the images
    assert names_of({"a": 0, "b": 1}, class_names=["cat"]) == (None, None)


def test_values_without_names_are_called_by_their_positions():
    assert names_of({"a": [0, 1]}, label_names=["smile", "hat"]) == (None, ["smile", "hat"])
    assert names_of({"a": [0, 1]}, label_names=["smile"]) == (None, ["0", "1"])
    assert names_of({"a": [0, 1]}) == (None, ["0", "1"])


def test_names_that_do_not_fit_the_labels_in_number_are_reported():
    for labels, notes in (
        (
            LabelList({"a": 0, "b": 1}, class_names=["cat"]),
            ["The names of classes were left out, since their number is 1, not 2."],
        ),
        (
            LabelList({"a": [0, 1]}, label_names=["x"]),
            ["The names of values were left out, since their number is 1, not 2."],
        ),
        (LabelList({"a": 0}, class_names=["cat", "dog"]), ["1 of 2 classes has no images: 1 (dog)."]),
        (LabelList({"a": [0, 1]}, label_names=["x", "y"]), []),
    ):
        assert label_notes(labels, label_table(labels, list(labels.by_name), "x")) == notes


def test_vectors_are_kept_as_float32():
    table = label_table(LabelList({"a": [0.5, 1], "b": [2, -3.25]}), ["a", "b"], "x")
    assert table.label_dim == 2
    assert table.rows(np.array([1])).tolist() == [[2, -3.25]]
    assert table.rows(np.array([1])).dtype == np.float32


def test_a_image_without_label_is_named_with_the_count():
    with pytest.raises(DataError, match="x has no label for 2 of 3 images, the first of them b; label all or none"):
        label_table(LabelList({"a": 0}), ["a", "b", "c"], "x")


@pytest.mark.parametrize("odd", [[1.0], 1])
def test_labels_of_two_kinds_are_refused(odd):
    with pytest.raises(DataError, match="gives a a vector of 2 but b"):
        label_table(LabelList({"a": [0.0, 1.0], "b": odd}), ["a", "b"], "x")


def test_parsing_keeps_names_and_turns_backslashes():
    labels = parse({"labels": [["s\\a.png", 1], ["b.png", 0]], "class_names": ["cat", "dog"]})
    assert labels.by_name == {"s/a.png": 1, "b.png": 0}
    assert labels.class_names == ["cat", "dog"]
    assert labels.label_names is None


def test_written_labels_are_read_back_the_same():
    labels = LabelList({"b": [1.0, 0.5], "a": [0.0, 2.0]}, label_names=["smile", "hair"])
    assert parse(labels.to_json()) == labels


@pytest.mark.parametrize("content", [{}, {"labels": None}, {"labels": []}])
def test_no_labels_are_none(content):
    assert parse(content) is None


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ([], "holds a list, expected an object"),
        ({"labels": {"a": 1}}, "'labels' in dataset.json is a dict"),
        ({"labels": [["a", 1], ["b"]]}, r"entry 1 of 'labels' in dataset.json is \['b'\]"),
        ({"labels": [["a", "cat"]]}, "gives a the label 'cat', expected a class number"),
        ({"labels": [["a", -1]]}, "gives a the label -1"),
        ({"labels": [["a", 0.5]]}, "gives a the label 0.5"),
        ({"labels": [["a", float("nan")]]}, "gives a the label nan"),
        ({"labels": [["a", float("inf")]]}, "gives a the label inf"),
        ({"labels": [["a", None]]}, "gives a the label None"),
        ({"labels": [["a", [[0, 1]]]]}, r"gives a the label \[\[0, 1\]\]"),
        ({"labels": [["a", [0, 1e300]]]}, r"gives a the label \[0, 1e\+300\]"),
        ({"labels": [["a", [10**400]]]}, r"gives a the label \[1000"),
        ({"labels": [[["a", 1]]]}, r"entry 0 of 'labels' in dataset.json is \[\['a', 1\]\]"),
        ({"labels": [[7, 1]]}, r"entry 0 of 'labels' in dataset.json is \[7, 1\]"),
        (
            {"label": [["a", 1]]},
            "has no key 'labels' but 'label'; rename the key, or make a data set without this file with `prepare`",
        ),
        ({"labels": [["a", []]]}, r"gives a the label \[\]"),
        ({"labels": [["a", [float("nan")]]]}, r"gives a the label \[nan\]"),
        ({"labels": [["a", 1]], "class_names": "cat"}, "'class_names' in dataset.json is 'cat'"),
    ],
)
def test_malformed_labels_get_a_sentence(content, message):
    with pytest.raises(DataError, match=message):
        parse(content)


def test_whole_numbers_in_any_spelling_are_class_numbers():
    labels = parse({"labels": [["a", 0.0], ["b", 1.0], ["c", True], ["d", False], ["e", 2]]})
    assert labels.by_name == {"a": 0, "b": 1, "c": 1, "d": 0, "e": 2}
    assert {type(label) for label in labels.by_name.values()} == {int}
    assert parse({"labels": [["a", [True, 0.5]]]}).by_name == {"a": [1, 0.5]}


def test_a_dot_in_front_of_a_name_changes_nothing():
    labels = parse({"labels": [["./a/0.png", 1], [".\\b.png", 0], ["a//./1.png", 2], ["./a/0.png", 1.0]]})
    assert labels.by_name == {"a/0.png": 1, "b.png": 0, "a/1.png": 2}


def test_names_match_in_any_unicode_form_but_exact_ones_first():
    composed, decomposed = unicodedata.normalize("NFC", "é.png"), unicodedata.normalize("NFD", "é.png")
    assert label_table(LabelList({composed: 0, "a": 1}), ["a", decomposed], "x").values.tolist() == [1, 0]
    twins = LabelList({composed: 0, decomposed: 1})
    assert label_table(twins, [decomposed, composed], "x").values.tolist() == [1, 0]


def test_images_and_entries_that_do_not_meet_are_both_shown():
    message = (
        "x has no label for 2 of 2 images, the first of them a/0.png, while 3 entries name no image, the first of them "
        "old/a/0.png; label all or none"
    )
    with pytest.raises(DataError, match=message):
        label_table(LabelList({f"old/a/{i}.png": 0 for i in range(3)}), ["a/0.png", "a/1.png"], "x")
    assert entries_without_image(LabelList({"a": 0, "b": 1}), ["a"]) == ["b"]


def test_classes_without_images_are_named_and_counted():
    assert empty_classes(np.array([0, 1, 1]), None) is None
    assert empty_classes(np.array([1, 2]), None) == "1 of 3 classes has no images: 0"
    assert empty_classes(np.array([0, 1]), ["cat", "dog", "owl"]) == "1 of 3 classes has no images: 2 (owl)"
    assert empty_classes(np.array([0, 7]), None) == "6 of 8 classes have no images: 1, 2, 3, 4, 5 and 1 more"


@pytest.mark.parametrize("content", [b"{", b"\xff\xfe\x00", b"[" * 100_000])
def test_what_is_not_json_gets_a_sentence(content):
    with pytest.raises(DataError, match=r"dataset.json is not JSON"):
        parse_dataset_json(content, "dataset.json")
