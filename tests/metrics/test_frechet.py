"""The Fréchet distance against closed forms."""

import numpy as np
import pytest
import torch
from scipy.linalg import sqrtm
from torch.testing import assert_close

from stylegan.errors import ShapeError
from stylegan.metrics.frechet import FeatureStatistics, frechet_distance


def gaussian(mean, cov, n=1000):
    """Statistics with exactly this mean and covariance."""
    mean, cov = torch.as_tensor(mean, dtype=torch.float64), torch.as_tensor(cov, dtype=torch.float64)
    return FeatureStatistics(n, n * mean, n * (cov + mean.outer(mean)))


def random_cov(dim, rank=None):
    x = torch.randn(dim, rank or dim, dtype=torch.float64)
    return x @ x.T / dim


def test_gaussians_of_one_variable():
    # (1 - 4)² + (2 - 3)²
    assert frechet_distance(gaussian([1.0], [[4.0]]), gaussian([4.0], [[9.0]])) == pytest.approx(10)


def test_diagonal_gaussians_differ_by_their_means_and_deviations():
    a, b = torch.rand(2, 50, dtype=torch.float64)
    mean = torch.randn(2, 50, dtype=torch.float64)
    expected = (mean[0] - mean[1]).square().sum() + (a - b).square().sum()
    distance = frechet_distance(gaussian(mean[0], (a**2).diag()), gaussian(mean[1], (b**2).diag()))
    assert distance == pytest.approx(expected.item(), rel=1e-9)


def test_turning_both_changes_nothing_and_order_does_not_matter():
    q = torch.linalg.qr(torch.randn(20, 20, dtype=torch.float64)).Q
    A, B = random_cov(20), random_cov(20)
    mean = torch.randn(20, dtype=torch.float64)
    a, b = gaussian(mean, A), gaussian(0 * mean, B)
    assert frechet_distance(a, b) == pytest.approx(frechet_distance(b, a), rel=1e-9)
    turned = frechet_distance(gaussian(q @ mean, q @ A @ q.T), gaussian(0 * mean, q @ B @ q.T))
    assert turned == pytest.approx(frechet_distance(a, b), rel=1e-9)


def test_covariances_that_do_not_commute_agree_with_the_root_of_the_product_itself():
    A, B = random_cov(30), random_cov(30)
    eigenvalues, vectors = torch.linalg.eig(A @ B)  # not symmetric: the definition, with complex arithmetic
    root = (vectors * eigenvalues.sqrt()) @ torch.linalg.inv(vectors)
    assert_close((root @ root).real, A @ B)
    zero = torch.zeros(30)
    expected = (A.trace() + B.trace() - 2 * root.trace().real).item()
    assert frechet_distance(gaussian(zero, A), gaussian(zero, B)) == pytest.approx(expected, rel=1e-8)


def test_distance_of_features_is_that_of_numpy_and_scipy():
    rng = np.random.RandomState(0)
    x, y = rng.randn(200, 24) @ rng.randn(24, 24), 0.5 + rng.randn(300, 24) @ rng.randn(24, 24)
    A, B = (np.cov(features.T, bias=True) for features in (x, y))
    means = np.square(x.mean(0) - y.mean(0)).sum()
    expected = means + np.trace(A + B - 2 * sqrtm(A @ B).real)
    found = frechet_distance(*(FeatureStatistics.of(torch.from_numpy(features)) for features in (x, y)))
    assert found == pytest.approx(expected, rel=1e-6)


@pytest.mark.parametrize("rank", [1, 7, 40])
def test_identical_statistics_are_at_distance_0_of_any_rank(rank):
    a = gaussian(torch.randn(40), random_cov(40, rank))
    assert frechet_distance(a, a) == pytest.approx(0, abs=1e-6)


def test_singular_covariances_in_orthogonal_subspaces_leave_the_sum_of_their_traces():
    A, B = torch.zeros(2, 40, 40, dtype=torch.float64)
    A[:20, :20], B[20:, 20:] = random_cov(20), random_cov(20)
    zero = torch.zeros(40)
    expected = (A.trace() + B.trace()).item()
    assert frechet_distance(gaussian(zero, A), gaussian(zero, B)) == pytest.approx(expected, rel=1e-6)


def test_fewer_vectors_than_features_scaled_by_2():
    x = torch.randn(10, 100)
    a, b = FeatureStatistics.of(x), FeatureStatistics.of(2 * x)
    expected = (a.mean.square().sum() + a.cov.trace()).item()  # (2 - 1)² of both terms
    assert frechet_distance(a, b) == pytest.approx(expected, rel=1e-6)


def test_one_vector_is_a_point():
    a, b = torch.randn(2, 1, 8)
    expected = (a.double() - b.double()).square().sum().item()
    assert frechet_distance(FeatureStatistics.of(a), FeatureStatistics.of(b)) == pytest.approx(expected)


def test_statistics_are_those_of_the_vectors_and_parts_add_up():
    x = torch.randn(30, 5) + 3
    parts = FeatureStatistics.none(5) + FeatureStatistics.of(x[:7]) + FeatureStatistics.of(x[7:])
    assert parts.n == 30
    assert_close(parts.mean, x.double().mean(0))
    assert_close(parts.cov, torch.cov(x.double().T, correction=0))


def test_features_of_other_shapes_get_a_sentence():
    with pytest.raises(ShapeError, match=r"features have the shape \[N, F\], got \[3\]\."):
        FeatureStatistics.of(torch.zeros(3))
    a = FeatureStatistics.of(torch.zeros(2, 3))
    with pytest.raises(ShapeError, match="takes features of one width, got 2 of 3 and 2 of 4."):
        frechet_distance(a, FeatureStatistics.of(torch.zeros(2, 4)))
    with pytest.raises(ShapeError, match="got 2 of 3 and 0 of 3."):
        frechet_distance(a, FeatureStatistics.none(3))
