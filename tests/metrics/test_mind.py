"""The Monge Inception Distance, against its definition in loops and known distances."""

import numpy as np
import pytest
import torch
from fixed_features import gaussian
from scipy.optimize import linear_sum_assignment

from stylegan.errors import ShapeError
from stylegan.metrics.mind import monge_distance


def slow_distance(x, y, directions):
    """The definition: the best assignment of projected values is that of their order."""
    n, width = x.shape
    total = 0.0
    for u in directions:
        u = u / np.sqrt((u**2).sum())
        a, b = sorted(float(row @ u) for row in x), sorted(float(row @ u) for row in y)
        total += sum((p - q) ** 2 for p, q in zip(a, b, strict=True))
    return 3 * width / (n * len(directions)) * total


def test_equals_the_definition():
    x, y = gaussian(30, 5), gaussian(30, 5, seed=1, mean=0.5)
    directions = np.random.RandomState(4).randn(130, 5)
    expected = slow_distance(x.double().numpy(), y.double().numpy(), directions)
    assert monge_distance(x, y, projections=130, seed=4) == pytest.approx(expected, rel=1e-9)


def test_in_one_dimension_it_is_three_times_the_transport_of_squares():
    x, y = gaussian(20, 1).double(), gaussian(20, 1, seed=1, mean=2).double()
    costs = (x - y.T).square().numpy()
    best = costs[linear_sum_assignment(costs)].mean()
    assert monge_distance(x, y, projections=1) == pytest.approx(3 * best, rel=1e-9)


def test_a_shift_costs_three_times_its_squared_length():
    """The mean squared share of a vector along random directions is its squared length divided by their number."""
    x = gaussian(200, 16)
    shift = torch.linspace(-1, 1, 16)
    found = monge_distance(x, x + shift, projections=4000)
    assert found == pytest.approx(3 * float(shift.square().sum()), rel=0.1)
    assert monge_distance(x, x + 2 * shift) == pytest.approx(4 * monge_distance(x, x + shift), rel=1e-5)


def test_equal_sets_in_any_order_are_at_zero_and_exchange_changes_nothing():
    x, y = gaussian(50, 4), gaussian(50, 4, seed=1)
    assert monge_distance(x, x.flip(0)) == pytest.approx(0, abs=1e-12)
    assert monge_distance(x, y) > 0
    assert monge_distance(x, y) == pytest.approx(monge_distance(y, x), rel=1e-9)


def test_of_a_larger_set_as_many_features_take_part():
    x, y = gaussian(40, 3), gaussian(90, 3, seed=1)
    rng = np.random.RandomState(2)
    rng.randn(50, 3)  # of the directions
    part = y[np.sort(rng.choice(90, 40, replace=False))]
    assert monge_distance(x, y, projections=50, seed=2) == monge_distance(x, part, projections=50, seed=2)


def test_equal_moments_do_not_make_it_zero():
    """A set on two points and a Gaussian with its mean and variance have the Fréchet distance zero."""
    x = gaussian(400, 1)
    x = (x - x.mean()) / x.std(correction=0)
    two = torch.tensor([[-1.0], [1.0]]).repeat(200, 1)
    assert monge_distance(x, two) > 0.5


def test_features_of_other_shapes_get_a_sentence():
    with pytest.raises(ShapeError, match=r"takes features \[N, F\] of one width, got \[4, 3\] and \[4, 2\]\."):
        monge_distance(torch.zeros(4, 3), torch.zeros(4, 2))
    with pytest.raises(ShapeError, match=r"of one width, got \[0, 3\] and \[4, 3\]\."):
        monge_distance(torch.zeros(0, 3), torch.zeros(4, 3))
