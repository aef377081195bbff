"""The kernel distance, against its definition in loops and known distances."""

import numpy as np
import pytest
import torch
from fixed_features import gaussian

from stylegan.errors import ShapeError
from stylegan.metrics.kid import kernel_distance, squared_mmd


def slow_mmd(x, y):
    """The definition, pair by pair."""
    m, k = len(x), lambda a, b: (float(a @ b) / x.shape[1] + 1) ** 3
    within = sum(k(s[i], s[j]) for s in (x, y) for i in range(m) for j in range(m) if i != j) / (m * (m - 1))
    return within - 2 * sum(k(a, b) for a in x for b in y) / m**2


def test_equals_the_definition_pair_by_pair():
    x, y = gaussian(12, 5), gaussian(12, 5, seed=1, mean=0.5)
    assert squared_mmd(x, y) == pytest.approx(slow_mmd(x.double(), y.double()), rel=1e-9)


def test_whole_sets_of_one_size_are_a_single_subset():
    x, y = gaussian(30, 4), gaussian(30, 4, seed=1, mean=1)
    assert kernel_distance(x, y, subsets=3) == pytest.approx(squared_mmd(x, y), rel=1e-9)


def test_subsets_equal_those_of_the_definition():
    x, y = gaussian(40, 4).numpy().astype(np.float64), gaussian(50, 4, seed=1).numpy().astype(np.float64)
    rng = np.random.RandomState(7)
    values = [slow_mmd(x[rng.choice(40, 10, replace=False)], y[rng.choice(50, 10, replace=False)]) for _ in range(4)]
    found = kernel_distance(torch.from_numpy(x), torch.from_numpy(y), subsets=4, subset_size=10, seed=7)
    assert found == pytest.approx(np.mean(values), rel=1e-6)


def test_gaussians_with_other_means_have_the_distance_of_the_kernel():
    """The kernel (xy + 1)³ of one dimension compares the first three moments, with weights 3, 3 and 1."""
    x, y = gaussian(4000, 1), gaussian(4000, 1, seed=1, mean=0.5)
    moments = [[(s.double() ** p).mean() for p in (1, 2, 3)] for s in (x, y)]
    expected = sum(w * (a - b) ** 2 for w, a, b in zip((3, 3, 1), *moments, strict=True))
    found = kernel_distance(x, y, subsets=2, subset_size=4000)
    assert found == pytest.approx(float(expected), rel=0.02)


def test_sets_of_one_distribution_are_at_zero_on_average():
    values = [squared_mmd(gaussian(40, 3, seed=2 * i), gaussian(40, 3, seed=2 * i + 1)) for i in range(60)]
    assert abs(np.mean(values)) < 3 * np.std(values) / 60**0.5
    assert min(values) < 0


def test_one_feature_or_other_widths_get_a_sentence():
    for x, y in ((gaussian(1, 3), gaussian(4, 3)), (gaussian(4, 3), gaussian(4, 2))):
        with pytest.raises(ShapeError, match="a kernel distance takes features"):
            kernel_distance(x, y)
