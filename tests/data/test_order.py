from __future__ import annotations

import numpy as np
import pytest

from stylegan.data.order import balanced_indices, shuffled_indices


def test_each_epoch_holds_every_image_once():
    stream = shuffled_indices(10, seed=3, start=0, count=40).reshape(4, 10)
    assert (np.sort(stream, axis=1) == np.arange(10)).all()
    assert len({tuple(epoch) for epoch in stream}) == 4


@pytest.mark.parametrize("n", [1, 3, 10, 64])
def test_any_cut_of_the_stream_equals_the_whole(n):
    whole = shuffled_indices(n, seed=0, start=0, count=100)
    pieces = [shuffled_indices(n, seed=0, start=start, count=7) for start in range(0, 98, 7)]
    assert (np.concatenate(pieces) == whole[:98]).all()
    assert whole.dtype == np.int64


def test_seeds_differ_and_repeat():
    first = shuffled_indices(50, seed=0, start=5, count=20)
    assert (first == shuffled_indices(50, seed=0, start=5, count=20)).all()
    assert (first != shuffled_indices(50, seed=1, start=5, count=20)).any()


def test_changing_the_result_leaves_the_stream_alone():
    first = shuffled_indices(8, seed=0, start=0, count=8)
    kept = first.copy()
    first[:] = 0
    assert (shuffled_indices(8, seed=0, start=0, count=8) == kept).all()


def test_the_stream_never_changes_between_versions():
    assert shuffled_indices(6, seed=0, start=0, count=8).tolist() == [3, 5, 4, 0, 2, 1, 0, 5]


def test_an_empty_range_is_empty():
    assert shuffled_indices(5, seed=0, start=3, count=0).shape == (0,)


MEMBERS = [np.arange(0, 20), np.array([20]), np.arange(21, 24)]


def test_balanced_runs_hold_every_class_once_and_classes_go_through_all_their_images():
    stream = balanced_indices(MEMBERS, seed=3, start=0, count=60).reshape(20, 3)
    classes = np.searchsorted([20, 21], stream, side="right")
    assert (np.sort(classes, axis=1) == np.arange(3)).all()
    assert len({tuple(run) for run in classes}) > 3
    assert sorted(stream[classes == 0]) == list(range(20))  # twenty images in twenty turns
    assert (np.sort(stream[classes == 2][:18].reshape(6, 3), axis=1) == [21, 22, 23]).all()


def test_any_cut_of_a_balanced_stream_equals_the_whole():
    whole = balanced_indices(MEMBERS, seed=0, start=0, count=100)
    pieces = [balanced_indices(MEMBERS, seed=0, start=start, count=7) for start in range(0, 98, 7)]
    assert (np.concatenate(pieces) == whole[:98]).all()
    assert whole.dtype == np.int64
    assert (whole != balanced_indices(MEMBERS, seed=1, start=0, count=100)).any()


def test_the_balanced_stream_never_changes_between_versions():
    assert balanced_indices(MEMBERS, seed=0, start=0, count=9).tolist() == [12, 21, 20, 20, 23, 2, 22, 19, 20]
