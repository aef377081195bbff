"""Labels: classes by number or name, and vectors of values."""

import pytest
from tiny_generator import tiny_generator

from stylegan.errors import ConfigError
from stylegan.sampling.labels import class_labels, label_vector, waypoints


def classes(*names):
    G = tiny_generator(c_dim=max(len(names), 3))
    G.class_names = list(names) or None
    return G


def vectors(*names):
    G = tiny_generator(c_dim=len(names))
    G.label_names = list(names)
    return G


@pytest.mark.parametrize(
    ("label", "row"),
    [
        (1, [0, 1, 0]),
        ("2", [0, 0, 1]),
        (" dog ", [0, 1, 0]),
        ("black-cat", [0, 0, 1]),
        ("0.5,0.5,0", [0.5, 0.5, 0]),
        ([0, 0.25, 0.75], [0, 0.25, 0.75]),
    ],
)
def test_a_class_is_a_number_a_name_or_a_mixture(label, row):
    assert label_vector(classes("cat", "dog", "black-cat"), label).tolist() == row


@pytest.mark.parametrize(
    ("label", "row"),
    [
        ("1,0,-2.5", [1, 0, -2.5]),
        ((0, 1, 0), [0, 1, 0]),
        ("smile=1,hat=0.5", [1, 0, 0.5]),
        (" hat , smile = -1 ", [-1, 0, 1]),
    ],
)
def test_a_vector_is_its_values_or_some_of_them_by_name(label, row):
    assert label_vector(vectors("smile", "beard", "hat"), label).tolist() == row


def test_one_value_is_a_value_where_labels_are_vectors():
    assert label_vector(vectors("age"), "40").tolist() == [40]


@pytest.mark.parametrize(
    ("label", "message"),
    [
        ("bird", "this network has no class 'bird'; it has cat, dog, fish."),
        ("3", "this network has the classes 0..2, got class 3."),
        ("1,0", "a label of this network has 3 values, got '1,0'; give 3 numbers separated by commas."),
        ("1,0,nan", "a label of this network has 3 values, got '1,0,nan'; give 3 numbers separated by commas."),
        ("smile=1", "this network has no class 'smile=1'; it has cat, dog, fish."),
    ],
)
def test_an_unknown_class_is_named(label, message):
    with pytest.raises(ConfigError) as error:
        label_vector(classes("cat", "dog", "fish"), label)
    assert str(error.value) == message


@pytest.mark.parametrize(
    ("label", "message"),
    [
        (1, "this network takes 2 values (smile, hat), not class numbers, got 1; write for example smile=1."),
        ("1", "this network takes 2 values (smile, hat), got '1'; give 2 numbers separated by commas."),
        ("beard=1", "this network takes 2 values (smile, hat), got 'beard=1'; write NAME=VALUE."),
        ("smile=much", "this network takes 2 values (smile, hat), got 'smile=much'; write NAME=VALUE."),
    ],
)
def test_the_error_of_a_vector_that_does_not_fit_says_what_does(label, message):
    with pytest.raises(ConfigError) as error:
        label_vector(vectors("smile", "hat"), label)
    assert str(error.value) == message


def test_a_class_becomes_one_hot_rows():
    assert class_labels(tiny_generator(c_dim=3), 1, 2).tolist() == [[0, 1, 0], [0, 1, 0]]
    assert class_labels(tiny_generator(), None, 2) is None


@pytest.mark.parametrize(
    ("c_dim", "class_index", "message"),
    [
        (
            0,
            2,
            "this network has no classes, since it was trained without `data.labels`, got class 2; leave out `label`.",
        ),
        (3, None, "this network has 3 classes; choose one with `label`, 0..2."),
        (3, 3, "this network has the classes 0..2, got class 3."),
        (3, -1, "this network has the classes 0..2, got class -1."),
    ],
)
def test_a_class_that_does_not_fit_the_network_is_named(c_dim, class_index, message):
    with pytest.raises(ConfigError) as error:
        class_labels(tiny_generator(c_dim), class_index, 1)
    assert str(error.value) == message


def test_a_missing_label_is_asked_for_in_the_words_of_the_network():
    for G, message in (
        (vectors("smile", "hat"), "takes 2 values (smile, hat); choose them with `label`, for example smile=1."),
        (classes("cat", "dog", "fish"), "has 3 classes; choose one with `label`, 0..2 or cat, dog, fish."),
    ):
        with pytest.raises(ConfigError) as error:
            class_labels(G, None, 1)
        assert str(error.value) == f"this network {message}"


def test_names_without_end_are_cut_short():
    with pytest.raises(ConfigError, match=r"it has c0, c1, .*, c11, ... 99 in all."):
        label_vector(classes(*[f"c{i}" for i in range(99)]), "x")


@pytest.mark.parametrize(
    ("text", "labels"),
    [
        ("0-2", [0, 1, 2]),
        ("cat, 1", ["cat", "1"]),
        ("black-cat,dog", ["black-cat", "dog"]),
        ("1,0,0;0,0,1", ["1,0,0", "0,0,1"]),
    ],
)
def test_a_way_through_classes_is_a_list_with_ranges(text, labels):
    assert waypoints(classes("cat", "dog", "black-cat"), text) == labels


def test_a_way_through_vectors_is_parted_by_semicolons():
    assert waypoints(vectors("smile", "hat"), "smile=0;smile=1,hat=1") == ["smile=0", "smile=1,hat=1"]


def test_a_range_of_classes_stays_within_them():
    with pytest.raises(ConfigError, match="a range of classes ascends, to 2 at most, got '1-3'."):
        waypoints(classes(), "0,1-3")
