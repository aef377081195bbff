"""The inception score, against its definition and known answers."""

import math

import pytest
import torch
from fixed_features import gaussian
from scipy.stats import entropy

from stylegan.errors import ShapeError
from stylegan.metrics.inception_score import inception_score


def test_equals_the_exponential_of_the_relative_entropy():
    p = gaussian(40, 6).double().softmax(1)
    scores = []
    for part in p.reshape(4, 10, 6).numpy():
        scores.append(math.exp(sum(entropy(row, part.mean(0)) for row in part) / 10))
    mean = sum(scores) / 4
    std = (sum((s - mean) ** 2 for s in scores) / 4) ** 0.5
    assert inception_score(p, splits=4) == pytest.approx((mean, std), rel=1e-9)


def test_certain_and_even_classes_give_their_number_and_equal_images_one():
    assert inception_score(torch.eye(5).repeat(10, 1), splits=2) == pytest.approx((5, 0))
    assert inception_score(torch.full((20, 5), 0.2)) == pytest.approx((1, 0))


def test_fewer_images_than_parts_get_a_sentence():
    with pytest.raises(ShapeError, match="of 10 parts takes at least 10 images, got 9; draw more."):
        inception_score(torch.full((9, 5), 0.2))
