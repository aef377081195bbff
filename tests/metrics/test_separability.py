"""Linear separability: chance, perfect attributes, and the entropies of a table."""

import math

import pytest
import torch
from fixed_features import gaussian

from stylegan.metrics.separability import conditional_entropy, separability


def test_conditional_entropy_is_that_of_the_table():
    x = torch.tensor([0, 0, 0, 0, 1, 1, 1, 1]).bool()
    y = torch.tensor([0, 0, 0, 1, 1, 1, 1, 1]).bool()
    expected = 0.5 * -(0.25 * math.log2(0.25) + 0.75 * math.log2(0.75))
    assert conditional_entropy(x, y) == pytest.approx(expected, rel=1e-9)
    assert conditional_entropy(y, y) == 0
    assert conditional_entropy(torch.tensor([0, 1, 0, 1]).bool(), torch.tensor([0, 0, 1, 1]).bool()) == pytest.approx(1)


def test_attributes_on_hyperplanes_are_separable():
    z = gaussian(400, 6)
    value, bits = separability(z, (z @ gaussian(6, 2, seed=1)).double())
    assert value == pytest.approx(1, abs=0.1)
    assert len(bits) == 2


def test_each_attribute_that_is_chance_doubles_the_value():
    z, logits = gaussian(4000, 4), gaussian(4000, 2, seed=1).double()
    value, bits = separability(z, logits)
    assert bits == pytest.approx([1, 1], abs=0.01)
    assert value == pytest.approx(4, rel=0.02)


def test_an_attribute_of_all_images_costs_nothing():
    assert separability(gaussian(20, 3), torch.ones(20, 1)) == (1, [0.0])
