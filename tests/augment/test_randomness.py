"""Values of the transformations: moments of random draws, and percentiles of the same distributions."""

import math

import pytest
import torch

from stylegan.augment.randomness import PercentileDraws, RandomDraws

N = 40_000
CPU = torch.device("cpu")
# method: mean and mean square of its values
MOMENTS = {
    "unit": (1 / 2, 1 / 3),
    "symmetric": (0, 1 / 3),
    "symmetric_again": (0, 1 / 3),
    "normal": (0, 1),
    "half_normal": (math.sqrt(2 / math.pi), 1),
}
RANGE = {"unit": (0, 1), "symmetric": (-1, 1), "symmetric_again": (-1, 1)}


def near(x: torch.Tensor, mean: float) -> bool:
    """Return True if the sample mean is within 4 standard errors of `mean`."""
    return abs(float(x.mean()) - mean) < 4 * float(x.std()) / math.sqrt(len(x))


@pytest.mark.parametrize("method", MOMENTS)
def test_random_draws_have_the_mean_and_the_mean_square_of_their_distribution(method):
    x = getattr(RandomDraws(N, CPU), method)().double()
    assert (x.shape, x.isfinite().all()) == ((N,), True)
    mean, square = MOMENTS[method]
    assert near(x, mean)
    assert near(x.square(), square)


@pytest.mark.parametrize("method", RANGE)
def test_uniform_draws_fill_their_range_evenly(method):
    low, high = RANGE[method]
    x = getattr(RandomDraws(N, CPU), method)()
    assert low <= x.min() < low + 0.01
    assert high - 0.01 < x.max() < high
    for tenth in range(10):
        inside = (x - low) * 10 / (high - low)
        assert near(((inside >= tenth) & (inside < tenth + 1)).double(), 0.1)


def test_gaussian_draws_have_both_signs_and_the_half_normal_is_their_absolute_value():
    x = RandomDraws(N, CPU).normal()
    assert near((x < 0).double(), 0.5)
    torch.manual_seed(5)
    x = RandomDraws(N, CPU).normal()
    torch.manual_seed(5)
    half = RandomDraws(N, CPU).half_normal()
    assert torch.equal(half, x.abs())
    for sigma in (0.5, 1, 2):  # rectified and not halved: as likely to exceed sigma as both tails together
        assert near((half > sigma).double(), math.erfc(sigma / math.sqrt(2)))


@pytest.mark.parametrize("choices", [2, 4])
def test_integers_are_equally_likely(choices):
    x = RandomDraws(N, CPU).integer(choices)
    assert set(x.tolist()) == set(range(choices))
    assert all(near((x == k).double(), 1 / choices) for k in range(choices))


@pytest.mark.parametrize("method", ["unit", "symmetric", "normal", "half_normal"])
def test_components_of_a_value_and_values_after_each_other_are_independent(method):
    draws = RandomDraws(N, CPU)
    x, y = getattr(draws, method)(2).double().unbind(1)
    z = getattr(draws, method)().double()
    for a, b in ((x, y), (x, z)):
        assert abs(float(torch.corrcoef(torch.stack([a, b]))[0, 1])) < 4 / math.sqrt(N)


def test_two_symmetric_values_of_one_quantity_are_independent():
    draws = RandomDraws(N, CPU)
    pair = torch.stack([draws.symmetric(), draws.symmetric_again()])
    assert abs(float(torch.corrcoef(pair)[0, 1])) < 4 / math.sqrt(N)


@pytest.mark.parametrize("shape", [(), (2,)])
def test_a_gate_opens_with_its_probability_and_for_all_components_of_a_value_at_once(shape):
    value = torch.full([N, *shape], 3.0)
    y = RandomDraws(N, CPU).gate(torch.tensor(0.3), value, otherwise=1.0).view(N, -1)
    assert set(y.flatten().tolist()) == {1.0, 3.0}
    assert torch.equal(y[:, 0], y[:, -1])
    assert near((y[:, 0] == 3).double(), 0.3)


@pytest.mark.parametrize("d", [0.1, 0.3, 0.8])
def test_percentile_draws_are_percentiles_of_random_draws(d):
    """Gaussians by the official convention, which takes erfinv without the factor sqrt(2)."""
    random, percentile = RandomDraws(N, CPU), PercentileDraws(1, CPU, d)
    for method, scale in {"unit": 1, "symmetric": 1, "normal": math.sqrt(2), "half_normal": math.sqrt(2)}.items():
        x = getattr(random, method)()
        assert near((x <= getattr(percentile, method)() * scale).double(), d)
