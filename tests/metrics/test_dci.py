"""DCI: one factor per dimension, mixed dimensions, and noise."""

import numpy as np
import pytest
import torch
from fixed_features import gaussian

from stylegan.metrics.dci import dci, disentanglement


def test_one_factor_for_each_dimension_is_perfect():
    z = gaussian(1500, 4)
    result = dci(z, (z > 0).float())
    assert result.disentanglement > 0.97
    assert result.completeness > 0.97
    assert result.informativeness > 0.97


def test_mixed_dimensions_are_informative_but_not_disentangled():
    z = gaussian(1500, 4)
    y = (z > 0).float()
    rotation = torch.tensor([[1, 1, 1, 1], [1, -1, 1, -1], [1, 1, -1, -1], [1, -1, -1, 1]]) / 2
    result = dci(z @ rotation, y)
    assert result.informativeness > 0.97
    assert max(result.disentanglement, result.completeness) < 0.1


def test_noise_is_guessed():
    result = dci(gaussian(1000, 4), (gaussian(1000, 3, seed=1) > 0).float())
    assert result.informativeness == pytest.approx(0.5, abs=0.06)


def test_disentanglement_is_one_minus_the_weighted_entropy():
    importance = np.array([[3.0, 1.0], [0.0, 4.0], [0.0, 0.0]])
    first = 1 + (0.75 * np.log2(0.75) + 0.25 * np.log2(0.25))
    assert disentanglement(importance) == pytest.approx((4 * first + 4 * 1) / 8)
    assert disentanglement(np.zeros((2, 2))) == 0
