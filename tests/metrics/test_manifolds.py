"""Precision, recall, density, coverage and authenticity, against their definitions in loops and known answers."""

import pytest
import torch
from fixed_features import gaussian
from scipy.spatial.distance import cdist

from stylegan.errors import ShapeError
from stylegan.metrics import manifolds
from stylegan.metrics.manifolds import authenticity, coverage, density, nearest_reals, precision

REAL, FAKE = gaussian(60, 3), gaussian(45, 3, seed=1, mean=0.6)


def slow(real, fake, k):
    """Precision, density and coverage, as Naeem et al. write them."""
    real, fake = real.double().numpy(), fake.double().numpy()
    radii = [sorted(row)[k] for row in cdist(real, real)]
    d = cdist(fake, real)
    inside = [[d[j, i] <= radii[i] for i in range(len(real))] for j in range(len(fake))]
    precise = sum(map(any, inside)) / len(fake)
    dense = sum(map(sum, inside)) / len(fake) / k
    covered = sum(any(row[i] for row in inside) for i in range(len(real))) / len(real)
    return precise, dense, covered


@pytest.mark.parametrize("k", [1, 3, 5])
@pytest.mark.parametrize("block", [7, 512])
def test_equal_their_definitions_in_blocks_of_any_size(monkeypatch, k, block):
    monkeypatch.setattr(manifolds, "_BLOCK", block)
    found = precision(REAL, FAKE, k), density(REAL, FAKE, k), coverage(REAL, FAKE, k)
    assert found == pytest.approx(slow(REAL, FAKE, k), rel=1e-12)


def test_identical_sets_have_ones():
    """A set compared with itself: all four are exactly 1."""
    assert [f(REAL, REAL) for f in (precision, density, coverage)] == [1, 1, 1]


def test_sets_that_are_far_apart_have_zeros():
    far = FAKE + 100
    assert [precision(REAL, far), precision(far, REAL), density(REAL, far), coverage(REAL, far)] == [0, 0, 0, 0]


def test_one_mode_of_two_has_full_precision_and_half_recall_and_coverage():
    modes = torch.cat([gaussian(50, 2), gaussian(50, 2, seed=1, mean=50)])
    one = gaussian(400, 2, seed=2, scale=0.7)
    assert precision(modes, one) > 0.97
    assert 0.3 < precision(one, modes) <= 0.5
    assert 0.4 < coverage(modes, one) <= 0.5


def test_copies_have_no_authenticity_and_lists_name_their_originals():
    numbers, ratios = nearest_reals(REAL, REAL[[5, 17, 3]] + 1e-6)
    assert numbers.tolist() == [5, 17, 3]
    assert authenticity(ratios) == 0
    assert ratios.max() < 1e-3


def test_ratio_is_the_distance_in_units_of_the_neighborhood():
    real = torch.tensor([[0.0], [1.0], [10.0]])
    numbers, ratios = nearest_reals(real, torch.tensor([[0.25], [13.5], [1.0]]))
    assert numbers.tolist() == [0, 2, 1]
    assert ratios.tolist() == pytest.approx([0.25, 3.5 / 9, 0])
    numbers, ratios = nearest_reals(real, torch.tensor([[30.0]]))
    assert ratios.tolist() == pytest.approx([20 / 9])
    assert authenticity(ratios) == 1


def test_too_few_images_for_the_neighbors_get_a_sentence():
    with pytest.raises(ShapeError, match="3 nearest neighbors need more than 3 images, got 3; use more."):
        precision(REAL[:3], FAKE)
